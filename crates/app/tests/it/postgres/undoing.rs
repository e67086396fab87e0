//! An undo is possible whenever its restore could begin: no setting, library, job or transaction of the server keeps the old data
//! from coming back, and a server that would not start again is not stopped.

use anyhow::{Context, Result};
use stillpoint_testkit::lone_postgres::Server;

use super::on_server;

/// What every session of ours must stand above, and what holds the databases that are dropped and renamed.
const HINDERS: &str = r"
alter role boss set session_preload_libraries = 'gone';
alter role boss set lock_timeout = '1ms';
alter role boss set standard_conforming_strings = off;
alter role boss connection limit 1;
alter database app is_template true;
alter system set default_transaction_read_only = on;
alter system set synchronous_standby_names = 'nobody';
select pg_reload_conf();
";

/// A session of the test, whatever hinders others.
fn psql(server: &Server, script: &str) -> Result<String> {
    let options = "-c session_preload_libraries= -c default_transaction_read_only=off -c synchronous_commit=local";
    let said = server.beside(&format!(
        "export PGOPTIONS='{options}'\nexec psql -XqAt -v ON_ERROR_STOP=1 -h 127.0.0.1 -d postgres <<'END'\n{script}\nEND\n"
    ))?;
    Ok(said.trim().to_owned())
}

fn rows(server: &Server) -> Result<String> {
    psql(server, "\\connect app\nselect count(*) from kept")
}

/// Every load fails, or none.
fn break_loads(server: &Server, broken: bool) -> Result<()> {
    let act = if broken {
        "printf '#!/bin/sh\\ncat >/dev/null; echo no more room >&2; exit 1\\n' >/usr/local/bin/pg_restore; \
         chmod +x /usr/local/bin/pg_restore"
    } else {
        "rm /usr/local/bin/pg_restore"
    };
    server.exec(&["sh", "-c", act]).map(drop)
}

fn comes_back(server: &Server, id: &str) -> Result<()> {
    let undo = ["restore", "undo", "--confirm", server.testbed.project()];
    break_loads(server, true)?;
    server
        .product
        .run(&["restore", id, "--confirm", id])?
        .must_end_with(14)?
        .must_say("no more room")?;
    server.product.run(&undo)?.must_end_with(0)?;
    assert_eq!(rows(server)?, "6", "after a failure");

    break_loads(server, false)?;
    server
        .product
        .run(&["restore", id, "--confirm", id])?
        .must_end_with(0)?;
    assert_eq!(rows(server)?, "5");
    psql(
        server,
        "\\connect app\nbegin; insert into kept values (9); prepare transaction 'o''ne';",
    )?;
    server.product.run(&undo)?.must_end_with(0)?;
    assert_eq!(rows(server)?, "6", "after a success");
    Ok(())
}

/// What the server has not read yet would end its next start. The shell's words do it, and undo it.
const ENDS_THE_START: [(&str, &str, &str); 3] = [
    (
        "echo \"shared_preload_libraries = 'pg_cron, gone'\" >>\"$PGDATA/postgresql.auto.conf\"",
        "sed -i '/gone/d' \"$PGDATA/postgresql.auto.conf\"",
        "shared_preload_libraries names `gone`, and there is no such library",
    ),
    (
        "echo 'host all all nowhere trust_me' >>\"$PGDATA/pg_hba.conf\"",
        "sed -i '/trust_me/d' \"$PGDATA/pg_hba.conf\"",
        "pg_hba.conf, line",
    ),
    (
        "touch \"$PGDATA/standby.signal\"",
        "rm \"$PGDATA/standby.signal\"",
        "standby.signal lies in its data folder",
    ),
];

fn is_not_stopped(server: &Server, id: &str) -> Result<()> {
    server
        .product
        .run(&["restore", id, "--confirm", id])?
        .must_end_with(0)?;
    let undo = ["restore", "undo", "--confirm", server.testbed.project()];
    for (break_it, mend, words) in ENDS_THE_START {
        server.exec(&["sh", "-euc", break_it])?;
        server
            .product
            .run(&undo)?
            .must_end_with(13)?
            .must_say("store db would not start again as it runs now")?
            .must_say(words)?;
        server
            .product
            .run(&["restore", id, "--confirm", id, "--dry-run"])?
            .must_end_with(13)?
            .must_say(words)?;
        server.exec(&["sh", "-euc", mend])?;
    }
    server.product.run(&undo)?.must_end_with(0)?;
    assert_eq!(rows(server)?, "6");
    Ok(())
}

#[test]
fn what_a_restore_could_replace_comes_back_whatever_the_server_is_told() -> Result<()> {
    on_server("undoing", "POSTGRES", |server| {
        server.psql("create database app")?;
        server.restart_with(&["shared_preload_libraries = pg_cron", "cron.database_name = app"])?;
        server
            .psql("\\connect app\ncreate extension pg_cron;\ncreate table kept as select generate_series(1, 5) n;")?;
        server.product.run(&["backup"])?.must_end_with(0)?;
        let id = server.product.backups()?.pop().context("there is no backup")?;
        server.psql("\\connect app\ninsert into kept values (6);")?;
        server.psql(HINDERS)?;
        comes_back(server, &id)?;
        is_not_stopped(server, &id)
    })
}
