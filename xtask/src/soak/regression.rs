//! PostgreSQL's own regression database: its public SQL leaves thousands of objects of every kind behind. It is not ours and
//! stays where it is.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use stillpoint_testkit::lone_postgres::{Server, differences, on_server};

use super::program;

/// What these tests do to the server as a whole, and none of what they leave in their database.
const NOT_OURS: [&str; 2] = ["tablespace", "event_trigger_login"];

pub(super) fn soak(folder: &Path) -> Result<String> {
    let mut told = String::new();
    on_server(&program()?, "regression", "POSTGRES", |server| {
        told = try_on(server, folder)?;
        Ok(())
    })?;
    Ok(told)
}

fn try_on(server: &Server, folder: &Path) -> Result<String> {
    server.psql("create database regression template template0 encoding 'UTF8' locale 'C'")?;
    let mut files = 0_u32;
    for name in order(folder)? {
        let path = folder.join("sql").join(format!("{name}.sql"));
        let Ok(sql) = std::fs::read(&path) else { continue };
        files += 1;
        // Much of it is meant to fail; what is left is what counts.
        server.psql(&format!("\\connect regression\n{}", String::from_utf8_lossy(&sql)))?;
    }
    ensure!(
        files > 100,
        "{} is no folder of PostgreSQL's regression tests",
        folder.display()
    );
    let objects = server.psql("\\connect regression\nselect count(*) from pg_class where oid >= 16384")?;
    let before = server.facts()?;
    server
        .product
        .run(&["backup"])?
        .must_end_with(0)
        .context("the backup")?;
    let id = server.product.backups()?.pop().context("there is no backup")?;
    server.replace_by("POSTGRES")?;
    server
        .product
        .run(&["restore", &id, "--confirm", &id])?
        .must_end_with(0)
        .context("the restore")?;
    let found = differences(&before, &server.facts()?, []);
    Ok(format!(
        "`cargo xtask soak --only regression`: {files} files of PostgreSQL's own tests left {} relations, which were backed up and came \
         back in an empty server. {} lines of definitions, rows and states differ:\n\n```\n{}\n```\n",
        objects.trim(),
        found.len(),
        found.join("\n")
    ))
}

/// As its schedule says, where it is there; else by name, with what fills the tables first.
fn order(folder: &Path) -> Result<Vec<String>> {
    let scheduled = std::fs::read_to_string(folder.join("parallel_schedule")).ok();
    let mut names: Vec<String> = match scheduled {
        Some(text) => {
            let tests = text.lines().filter_map(|line| line.strip_prefix("test:"));
            tests.flat_map(str::split_whitespace).map(str::to_owned).collect()
        }
        None => by_name(folder)?,
    };
    names.retain(|name| !NOT_OURS.contains(&name.as_str()));
    Ok(names)
}

fn by_name(folder: &Path) -> Result<Vec<String>> {
    let folder = folder.join("sql");
    let files = std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut names: Vec<String> = files
        .filter_map(|file| Some(file.ok()?.path().file_stem()?.to_str()?.to_owned()))
        .collect();
    let first = ["test_setup", "create_table", "create_index", "create_misc"];
    names.sort_by_key(|name| {
        (
            first.iter().position(|one| one == name).unwrap_or(first.len()),
            name.clone(),
        )
    });
    Ok(names)
}
