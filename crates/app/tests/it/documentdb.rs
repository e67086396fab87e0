//! What is particular to the PostgreSQL behind `FerretDB`: a catalog that no dump holds, index builds that wait for roles, jobs that
//! write by themselves. On a real engine, with the real `pg_cron`.

use anyhow::{Context, Result, ensure};
use stillpoint_testkit::testbed::{Shape, Testbed};

use crate::common::{on, replace_tool_in, until};
use crate::page::commands;

const SERVICE: &str = "postgres-ferretdb";

/// Every job is due: what waits is built, and somebody's own job writes.
const WAKE: &str =
    "select count(cron.alter_job(jobid, active => true)) from cron.job where command like '%build_index%'";

const WAITING: &str = "select count(*) from documentdb_api_catalog.documentdb_index_queue";

/// The indexes that waited when the platform was filled, and whether they are there.
const BUILT: &str = "select (index_spec).index_name, index_is_valid, to_regclass('documentdb_data.documents_rum_index_' || index_id) is not null \
    from documentdb_api_catalog.collection_indexes where (index_spec).index_name like 'waits%' order by 1";

/// What is left of jobs that were held off.
const HELD_OFF: &str = "select (select setting from pg_settings where name = 'cron.launch_active_jobs') || \
    (select count(*) from pg_file_settings where name = 'cron.launch_active_jobs') || \
    (select count(*) from pg_db_role_setting where setconfig::text like '%jobs_held_off%')";

#[test]
fn indexes_that_wait_are_built_after_a_restore_as_the_same_roles_and_numbers_go_on() -> Result<()> {
    on("waiting", Shape::Documentdb, |testbed, product| {
        ensure!(testbed.psql_in_documentdb(WAITING)? == "2", "nothing waits");
        let next = "select (select last_value from documentdb_api_catalog.collections_collection_id_seq)";
        let next: i64 = testbed.psql_in_documentdb(next)?.parse()?;
        let backup = product.backup()?;
        testbed.wreck()?;
        product.restore(&backup)?;

        testbed.psql_in_documentdb(WAKE)?;
        until("all that waits is built or forgotten", || {
            Ok(testbed.psql_in_documentdb(WAITING)? == "0")
        })?;
        assert_eq!(testbed.psql_in_documentdb(BUILT)?, "waits|t|t\nwaits \"too\"|t|t");
        testbed.psql_in_documentdb("select documentdb_api.create_collection('hub', 'new')")?;
        let made = "select collection_id from documentdb_api_catalog.collections where collection_name = 'new'";
        assert_eq!(testbed.psql_in_documentdb(made)?, (next + 1).to_string());
        Ok(())
    })
}

/// A job of their own writes every second, into what is backed up.
const TICKING: &str = "create table ticked (n serial primary key); insert into ticked default values; \
    select cron.schedule('ticks', '1 seconds', 'insert into public.ticked default values')";

const TICKED: &str = "select count(*) from ticked";

#[test]
fn jobs_that_write_by_themselves_rest_until_what_was_loaded_is_compared() -> Result<()> {
    on("jobs", Shape::Documentdb, |testbed, product| {
        testbed.psql_in_documentdb(TICKING)?;
        let settings = testbed.psql_in_documentdb(HELD_OFF)?;
        assert_eq!(settings, "on00");
        let go_on = || {
            let ticked = testbed.psql_in_documentdb(TICKED)?;
            until("the job writes again", || {
                Ok(testbed.psql_in_documentdb(TICKED)? != ticked)
            })
        };
        let backup = product.backup()?;
        go_on()?;
        let restore = ["restore", &backup, "--confirm", &backup];
        product.run(&restore)?.must_end_with(0)?;
        assert_eq!(testbed.psql_in_documentdb(HELD_OFF)?, settings);
        go_on()?;
        product
            .run(&["restore", "undo", "--confirm", testbed.project()])?
            .must_end_with(0)?;
        assert_eq!(testbed.psql_in_documentdb(HELD_OFF)?, settings);
        go_on()?;

        // A restore that ends after the stop: whoever starts the platform as it is has its jobs too.
        replace_tool_in(testbed, SERVICE, "pg_restore", "cat >/dev/null; exit 1")?;
        product.run(&restore)?.must_end_with(14)?;
        product.run(&["containers", "start"])?.must_end_with(0)?;
        // The database itself stands aside.
        let server = testbed.container(SERVICE)?;
        let asked = [
            "exec",
            "-u",
            "postgres",
            &server,
            "psql",
            "-XqAt",
            "-d",
            "template1",
            "-c",
            HELD_OFF,
        ];
        assert_eq!(testbed.docker(&asked)?.trim(), settings);
        Ok(())
    })
}

#[test]
fn by_hand_and_that_a_dump_alone_has_no_catalog() -> Result<()> {
    let globals = commands("PostgreSQL")?;
    let restore = commands("DocumentDB")?;
    on("handed", Shape::Documentdb, |testbed, product| {
        testbed.tick()?;
        let truth = testbed.truth()?;
        let backup = product.repository.join(product.backup()?);
        Testbed::for_test("handed-to", Shape::Documentdb)?.examined(|empty| {
            empty.up()?;
            for client in ["webapp", "witness"] {
                empty.docker(&["stop", &empty.container(client)?])?;
            }
            let server = empty.container(SERVICE)?;
            empty.docker(&["cp", &backup.to_string_lossy(), &format!("{server}:/backup")])?;
            let run = |block: &str| -> Result<()> {
                let environment = ["-e", "STORE=postgres-ferretdb", "-e", "PGHOST=/var/run/postgresql", "-e", "PGUSER=postgres"];
                let shell = ["-w", "/backup", server.as_str(), "sh", "-euc", block];
                let arguments: Vec<&str> = ["exec"].into_iter().chain(environment).chain(shell).collect();
                empty.docker(&arguments).map(drop).with_context(|| format!("by hand:\n{block}"))
            };
            let block = |words: &str| {
                let found = globals.iter().chain(&restore).find(|block| block.contains(words));
                found.copied().with_context(|| format!("the page has no block with `{words}`"))
            };
            run(block("globals.sql.gz")?)?;
            run(block("launch_active_jobs = off")?)?;
            // So far it is what anybody's dump of the server holds: the documents are there, and nobody knows of them.
            let find = "select count(*) from documentdb_api.find('hub', 'agents')";
            let documents = "select max(n_live_tup) >= 0 and to_regclass('documentdb_data.documents_1') is not null from pg_stat_all_tables";
            assert_eq!(empty.psql_in_documentdb(documents)?, "t");
            let lost = empty.psql_in_documentdb(find).unwrap_err();
            assert!(format!("{lost:#}").contains("there is no collection hub.agents"), "{lost:#}");
            let refused = empty.psql_in_documentdb("select documentdb_api.create_collection('hub', 'agents')");
            assert!(format!("{:#}", refused.unwrap_err()).contains("already exists"));

            run(block("ext-catalog.sql.gz")?)?;
            run(block("sequences.sql.gz")?)?;
            run(block("RESET cron.launch_active_jobs")?)?;
            assert_eq!(empty.psql_in_documentdb(find)?, "2000");
            assert_eq!(truth.differences(&empty.truth()?), Vec::<String>::new());
            assert_eq!(empty.one_tick()?, 1);
            Ok(())
        })
    })
}
