//! No circles among the modules of the core: who reads one file must not have to read eight. A file and its own children
//! may know each other; anything else that imports in a circle is two ideas in the wrong files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use syn::visit::{self, Visit};
use syn::{Attribute, ItemMod, ItemUse, UseTree};

const CORE: &str = "crates/core/src";

/// Who imports from whom, by module paths.
type Imports = BTreeMap<String, BTreeSet<String>>;

/// The circles in the core's imports, in words.
pub(crate) fn find(root: &Path, files: &[PathBuf]) -> Result<Vec<String>> {
    let core = root.join(CORE);
    let mut sources = BTreeMap::new();
    for file in files {
        let Ok(inside) = file.strip_prefix(&core) else { continue };
        // Tests may look at whatever they like.
        if !inside.iter().any(|part| part == "tests" || part == "tests.rs") {
            let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
            sources.insert(module(inside), text);
        }
    }
    let imports = imports(&sources)?;
    let among_files = circles(&imports).into_iter().filter(|circle| !is_family(circle));
    let among_rooms = circles(&rooms(&imports)).into_iter();
    let told = |circle: Vec<String>| format!("{CORE}: these import each other in a circle: {}", circle.join(", "));
    Ok(among_files.chain(among_rooms).map(told).collect())
}

/// `engine/backup/pin.rs` is `engine::backup::pin`; `engine/mod.rs` is `engine`, `lib.rs` is nothing.
fn module(file: &Path) -> String {
    let path = file.with_extension("");
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    let parts = match parts.split_last() {
        Some((last, rest)) if last == "mod" || last == "lib" => rest.to_vec(),
        _ => parts,
    };
    parts.join("::")
}

fn imports(sources: &BTreeMap<String, String>) -> Result<Imports> {
    let mut imports = Imports::new();
    for (name, text) in sources {
        let file = syn::parse_file(text).with_context(|| format!("cannot parse {name}"))?;
        let mut uses = Uses {
            of: name
                .split("::")
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect(),
            paths: Vec::new(),
        };
        uses.visit_file(&file);
        let known = uses.paths.iter().filter_map(|path| longest(path, sources));
        // What stands in the crate's root only lists the rooms.
        let others = known.filter(|other| other != name && !other.is_empty());
        imports.insert(name.clone(), others.collect());
    }
    Ok(imports)
}

/// The module in which something lives whose path is given.
fn longest(path: &[String], sources: &BTreeMap<String, String>) -> Option<String> {
    let lengths = (0..=path.len()).rev();
    let mut candidates = lengths.map(|length| path.get(..length).unwrap_or_default().join("::"));
    candidates.find(|candidate| sources.contains_key(candidate))
}

/// Collects what a file names of its own crate, outside its tests.
struct Uses {
    of: Vec<String>,
    paths: Vec<Vec<String>>,
}

impl Uses {
    fn tree(&mut self, tree: &UseTree, before: &[String]) {
        match tree {
            UseTree::Path(path) => self.tree(&path.tree, &[before, &[path.ident.to_string()]].concat()),
            UseTree::Name(name) => self.note(&[before, &[name.ident.to_string()]].concat()),
            UseTree::Rename(name) => self.note(&[before, &[name.ident.to_string()]].concat()),
            UseTree::Glob(_) => self.note(before),
            UseTree::Group(group) => group.items.iter().for_each(|item| self.tree(item, before)),
        }
    }

    fn note(&mut self, path: &[String]) {
        let mut at = self.of.clone();
        let mut is_own = false;
        for part in path {
            match part.as_str() {
                "crate" => at.clear(),
                "super" => drop(at.pop()),
                "self" => {}
                _ if is_own => at.push(part.clone()),
                // A path that begins otherwise is another crate's, or names what was imported already.
                _ => return,
            }
            is_own = true;
        }
        self.paths.push(at);
    }
}

impl<'ast> Visit<'ast> for Uses {
    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if !module.attrs.iter().any(is_test) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.tree(&item.tree, &[]);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let parts: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.note(&parts);
        visit::visit_path(self, path);
    }
}

fn is_test(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg") && attribute.parse_args::<syn::Ident>().is_ok_and(|name| name == "test")
}

/// The same, with every file taken for the room it stands in.
fn rooms(imports: &Imports) -> Imports {
    let room = |module: &str| module.split("::").next().unwrap_or_default().to_owned();
    let mut rooms = Imports::new();
    for (from, to) in imports.iter().filter(|(from, _)| !from.is_empty()) {
        let others = to.iter().map(|to| room(to)).filter(|to| *to != room(from));
        rooms.entry(room(from)).or_default().extend(others);
    }
    rooms
}

/// A file and its own children.
fn is_family(circle: &[String]) -> bool {
    let is_parent = |name: &String| {
        circle
            .iter()
            .all(|other| other == name || other.starts_with(&format!("{name}::")))
    };
    circle.iter().any(is_parent)
}

/// The modules that reach each other, each set once.
fn circles(imports: &Imports) -> Vec<Vec<String>> {
    let ahead: BTreeMap<&String, BTreeSet<&String>> = imports.keys().map(|name| (name, reach(imports, name))).collect();
    let reaches = |from: &String, to: &String| ahead.get(from).is_some_and(|all| all.contains(to));
    let mut circles = BTreeSet::new();
    for name in imports.keys().filter(|name| reaches(name, name)) {
        let both = imports
            .keys()
            .filter(|other| reaches(name, other) && reaches(other, name));
        circles.insert(both.cloned().collect::<Vec<String>>());
    }
    circles.into_iter().collect()
}

fn reach<'a>(imports: &'a Imports, from: &'a String) -> BTreeSet<&'a String> {
    let mut reached = BTreeSet::new();
    let mut ahead: Vec<&String> = imports.get(from).into_iter().flatten().collect();
    while let Some(next) = ahead.pop() {
        if reached.insert(next) {
            ahead.extend(imports.get(next).into_iter().flatten());
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circles_of(sources: &[(&str, &str)]) -> Vec<Vec<String>> {
        let sources = sources
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        let imports = imports(&sources.collect()).unwrap();
        let all = circles(&imports).into_iter().filter(|circle| !is_family(circle));
        all.chain(circles(&rooms(&imports))).collect()
    }

    #[test]
    fn a_circle_of_files_is_found_by_its_imports() {
        let circle = circles_of(&[
            ("", "pub mod a;"),
            ("a::one", "use super::two::{self, Two};"),
            ("a::two", "fn three() -> crate::a::three::Three { todo() }"),
            ("a::three", "use crate::{b::B, a::{one as first}};"),
            ("b", "use std::fmt;"),
        ]);
        assert_eq!(circle, [["a::one", "a::three", "a::two"]]);
    }

    #[test]
    fn a_circle_of_rooms_is_found_where_no_file_is_in_one() {
        let circle = circles_of(&[
            ("a::one", "use crate::b::two::X;"),
            ("a::three", ""),
            ("b::two", ""),
            ("b::four", "use crate::a::three::Y;"),
        ]);
        assert_eq!(circle, [["a", "b"]]);
    }

    #[test]
    fn children_tests_and_other_crates_make_none() {
        let circle = circles_of(&[
            ("a", "mod child; use child::X;"),
            ("a::child", "use super::Parent;"),
            ("b", "use crate::a::Parent;"),
            ("c", "#[cfg(test)] mod tests { use crate::d::Y; }"),
            ("d", "use crate::c::Z; use c::W;"),
        ]);
        assert!(circle.is_empty(), "{circle:?}");
    }
}
