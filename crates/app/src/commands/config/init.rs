//! `stillpoint config init`.

use std::fmt::Write as _;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde_json::json;
use stillpoint_core::engine::stores::{KnownStore, Stores};
use stillpoint_core::operations::Operations;

use crate::config::{Config, Template};
use crate::display::print;
use crate::failure::Failure;
use crate::wiring;

/// Where the file goes.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The file; `-` for standard output
    #[arg(value_name = "FILE", default_value = "stillpoint.toml")]
    file: PathBuf,
}

pub(super) async fn run(config: &Config, args: &Args) -> Result<(), Failure> {
    let found = match found(config).await {
        Ok(found) => Some(found),
        Err(failure) => {
            let why = failure.what();
            print::error(&format!("warning: the file names no platform and no stores: {why}"));
            None
        }
    };
    let text = text(found.as_ref());
    if args.file == Path::new("-") {
        print::bytes(text.as_bytes());
        return Ok(());
    }
    write(&args.file, &text)?;
    let file = args.file.display();
    if config.json {
        print::document(&json!({ "file": file.to_string(), "platform": found.map(|found| found.platform) }));
    } else if !config.quiet {
        print::line(&format!(
            "{file} is written. Take away the `#` of what is to differ; `stillpoint config check` reads it."
        ));
    }
    Ok(())
}

async fn found(config: &Config) -> Result<Stores<KnownStore>, Failure> {
    let operations = wiring::operations(config).await?;
    Ok(operations.stores(config.project().as_ref()).await?)
}

/// For this user alone: passwords may come to stand in it.
fn write(file: &Path, text: &str) -> Result<(), Failure> {
    let opened = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file);
    let written = opened.and_then(|mut opened| {
        let written = opened.write_all(text.as_bytes()).and_then(|()| opened.sync_all());
        if written.is_err() {
            // Half of it would be in the way of the next try. It is ours: it was not there before.
            let _ = std::fs::remove_file(file);
        }
        written
    });
    written.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => Failure::usage(
            format!("{} is there already and is not overwritten", file.display()),
            "name another file, or `-` for standard output",
        ),
        _ => Failure::usage(
            format!("{} cannot be written: {error}", file.display()),
            "name a file in a directory that this user may write",
        ),
    })
}

fn text(found: Option<&Stores<KnownStore>>) -> String {
    let mut template = Template::default();
    if let Some(found) = found {
        template.set("platform.name", found.platform.as_str());
    }
    let mut text = template.text();
    if let Some(found) = found {
        text.push_str("\n# The stores that were found. What each can be told: docs/configuration.md, Stores.\n");
        for store in &found.stores {
            let _ = writeln!(
                text,
                "# [stores.{}]   # {}, image {}",
                key(&store.address.to_string()),
                store.kind,
                one_line(&store.image)
            );
        }
    }
    text
}

/// A key of TOML, quoted where it has to be.
fn key(name: &str) -> String {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if !name.is_empty() && name.bytes().all(is_bare) {
        name.to_owned()
    } else {
        json!(name).to_string()
    }
}

/// A comment ends with its line.
fn one_line(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_there_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("stillpoint.toml");
        write(&file, "first").unwrap();
        let refused = write(&file, "second").unwrap_err();
        assert!(refused.what().contains("is not overwritten"), "{}", refused.what());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "first");
        let nowhere = write(&folder.path().join("no/file"), "x").unwrap_err();
        assert!(nowhere.what().contains("cannot be written"), "{}", nowhere.what());
    }

    #[test]
    fn a_name_that_is_no_bare_key_is_quoted() {
        assert_eq!(key("postgres-main"), "postgres-main");
        assert_eq!(key("postgres-main#2"), "\"postgres-main#2\"");
        assert_eq!(one_line("a\nb"), "ab");
    }
}
