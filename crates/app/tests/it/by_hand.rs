//! `docs/operating/by-hand.md` is true: its commands, taken from the page as they stand, restore a
//! backup on an empty server without Stillpoint.

use std::process::Command;

use crate::common::on_mini;
use crate::page::commands;
use anyhow::{Context, Result};
use stillpoint_testkit::testbed::{Shape, Testbed};

/// A table that an extension owns: no dump holds it.
const OWNED: &str = "create extension hstore; \
    create table owned (id integer generated always as identity primary key, t text); \
    insert into owned (t) select n from generate_series(1, 1000) n; alter extension hstore add table owned";

const OWNED_NOW: &str = "select count(*), (select last_value from owned_id_seq), \
    (select extname from pg_depend d join pg_extension e on e.oid = refobjid where objid = 'owned'::regclass and deptype = 'e') \
    from owned";

#[test]
fn by_hand() -> Result<()> {
    let check = commands("Is the backup whole?")?.concat();
    let restore = commands("PostgreSQL")?;
    on_mini("byhand", |testbed, product| {
        testbed.tick()?;
        testbed.psql("dagster", OWNED)?;
        let truth = testbed.truth()?;
        let backup = product.repository.join(product.backup()?);

        let checked = Command::new("sh")
            .args(["-euc", &check])
            .current_dir(&backup)
            .output()?;
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));

        Testbed::for_test("empty", Shape::Mini)?.examined(|empty| {
            empty.up()?;
            for client in ["webapp", "witness"] {
                empty.docker(&["stop", &empty.container(client)?])?;
            }
            let server = empty.container("postgres-main")?;
            empty.docker(&["cp", &backup.to_string_lossy(), &format!("{server}:/backup")])?;
            for block in restore {
                let context = || format!("by hand:\n{block}");
                let environment = [
                    "-e",
                    "STORE=postgres-main",
                    "-e",
                    "PGHOST=/var/run/postgresql",
                    "-e",
                    "PGUSER=postgres",
                ];
                let shell = ["-w", "/backup", server.as_str(), "sh", "-euc", block];
                let arguments: Vec<&str> = ["exec"].into_iter().chain(environment).chain(shell).collect();
                empty.docker(&arguments).with_context(context)?;
            }
            assert_eq!(truth.differences(&empty.truth()?), Vec::<String>::new());
            assert_eq!(empty.psql("dagster", OWNED_NOW)?, "1000|1000|hstore");
            assert!(
                empty
                    .witness()?
                    .values()
                    .all(|witness| witness.is_whole() && witness.last == 1)
            );
            Ok(())
        })
    })
}
