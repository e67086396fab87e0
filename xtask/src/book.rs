//! The documentation as a book: every page has its chapter, and no link leads nowhere or out of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};

/// What lists the chapters.
const SUMMARY: &str = "SUMMARY.md";

pub(crate) fn faults(root: &Path) -> Result<Vec<String>> {
    let docs = root.join("docs");
    let mut pages = BTreeSet::new();
    gather(&docs, &docs, &mut pages)?;
    let mut faults = Vec::new();
    for page in &pages {
        let text = fs::read_to_string(docs.join(page)).with_context(|| format!("cannot read {}", page.display()))?;
        let targets: BTreeSet<PathBuf> = links(&text).filter_map(|link| target(page, link)).collect();
        if page == Path::new(SUMMARY) {
            let left_out = pages.iter().filter(|other| *other != page && !targets.contains(*other));
            faults.extend(left_out.map(|other| format!("docs/{} is in no chapter of docs/{SUMMARY}", other.display())));
        }
        let dead = targets.iter().filter(|target| !docs.join(target).exists());
        faults.extend(dead.map(|target| {
            format!(
                "docs/{}: a link leads to {}, outside the book or nowhere",
                page.display(),
                target.display()
            )
        }));
    }
    Ok(faults)
}

fn gather(docs: &Path, folder: &Path, pages: &mut BTreeSet<PathBuf>) -> Result<()> {
    let listed = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in listed {
        let path = entry?.path();
        if path.is_dir() {
            gather(docs, &path, pages)?;
        } else if path.extension().is_some_and(|extension| extension == "md") {
            pages.insert(path.strip_prefix(docs)?.to_owned());
        }
    }
    Ok(())
}

/// What the links of a page name, without the place within the page.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let after = text.split("](").skip(1);
    let named = after.filter_map(|rest| rest.split([')', '#', ' ']).next());
    named.filter(|link| !link.is_empty() && !link.contains(':'))
}

/// Where a link leads, seen from the book's root; out of it, if it begins with `..`.
fn target(page: &Path, link: &str) -> Option<PathBuf> {
    let mut place = page.parent()?.to_owned();
    for part in Path::new(link).components() {
        match part {
            Component::ParentDir if place.file_name().is_some_and(|name| name != "..") => {
                place.pop();
            }
            Component::CurDir => {}
            part => place.push(part),
        }
    }
    // What is outside is never there.
    Some(if place.starts_with("..") {
        Path::new("outside").join(place)
    } else {
        place
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_followed_from_the_page_that_they_stand_on() {
        let page = Path::new("operating/service.md");
        let to = |link| target(page, link).unwrap().display().to_string();
        assert_eq!(to("access.md"), "operating/access.md");
        assert_eq!(to("../configuration.md"), "configuration.md");
        assert_eq!(to("../../README.md"), "outside/../README.md");
        let text = "a [b](c.md#d), [e](#f), ![g](h.png \"i\") and [j](mailto:k)";
        assert_eq!(links(text).collect::<Vec<_>>(), ["c.md", "h.png"]);
    }

    #[test]
    fn a_page_without_a_chapter_and_a_link_to_nowhere_are_found() {
        let folder = book(&[
            ("SUMMARY.md", "- [One](one.md)"),
            ("one.md", "[two](two.md) [no](no.md) [out](../x.md)"),
            ("two.md", ""),
        ]);
        let found = faults(folder.path()).unwrap();
        assert_eq!(
            found,
            [
                "docs/two.md is in no chapter of docs/SUMMARY.md",
                "docs/one.md: a link leads to no.md, outside the book or nowhere",
                "docs/one.md: a link leads to outside/../x.md, outside the book or nowhere",
            ]
        );
    }

    fn book(pages: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("docs")).unwrap();
        for (name, text) in pages {
            fs::write(folder.path().join("docs").join(name), text).unwrap();
        }
        folder
    }
}
