//! A hot standby is no store of its own: it follows one, is stopped and started with the clients, replays a restore, and is
//! named. And what follows a server from outside, or is followed by it: subscriptions and slots of what is set aside.

use anyhow::{Context, Result, ensure};
use stillpoint_testkit::testbed::Status;

use super::on_server;
use crate::common::until;

/// Copies the server `db` and follows it, as its operator would have set it up.
const FOLLOW: &str = "install -d -o postgres -m 700 \"$PGDATA\"; \
    [ -s \"$PGDATA/PG_VERSION\" ] || setpriv --reuid=postgres --regid=postgres --init-groups \
        pg_basebackup -R -X stream -c fast -h primary -U boss -D \"$PGDATA\"; \
    exec setpriv --reuid=postgres --regid=postgres --init-groups postgres -c hot_standby=on -c max_prepared_transactions=2";

/// A table, a subscription that is enabled, and a slot for somebody else's.
const HELD: &str = r"
\connect boss
create extension pg_cron;
create table kept as select generate_series(1, 7) n;
create subscription feed connection 'host=127.0.0.1 port=1 dbname=nowhere' publication p with (connect = false, slot_name = feed);
alter subscription feed enable;
select pg_create_logical_replication_slot('mine', 'pgoutput');
";

/// Which databases have a subscription, whether it is enabled, and how many slots they have.
const FOLLOWED: &str = "select d.datname ~ '^sp_', s.subenabled, (select count(*) from pg_replication_slots r where r.database = d.datname) \
    from pg_subscription s join pg_database d on d.oid = s.subdbid order by 1";

#[test]
fn a_standby_follows_its_primary() -> Result<()> {
    on_server("standby", "POSTGRES", |server| {
        server.restart_with(&[
            "shared_preload_libraries = pg_cron",
            "cron.database_name = boss",
            "wal_level = logical",
        ])?;
        server.psql(HELD)?;
        let script = "host replication all all trust";
        server.exec(&[
            "sh",
            "-euc",
            &format!(
                "echo '{script}' >>\"$PGDATA/pg_hba.conf\"; setpriv --reuid=postgres --clear-groups pg_ctl reload"
            ),
        ])?;
        // A link follows the address of what it leads to.
        let link = format!("--link={}:primary", server.testbed.container("db")?);
        let options = ["--restart=unless-stopped", &link];
        server
            .testbed
            .guest("replica", "POSTGRES", &options, &["sh", "-euc", FOLLOW])?;
        let kept = || {
            let id = server.testbed.container("replica")?;
            let ask = "psql -XAtqU boss -d boss -c 'select count(*) from kept'";
            server.testbed.docker(&["exec", "-u", "postgres", &id, "sh", "-c", ask])
        };
        until("the standby serves", || Ok(kept().is_ok_and(|said| said.trim() == "7")))?;

        let plan = server.product.run(&["containers", "plan"])?.must_end_with(0)?;
        plan.must_print("a standby: it follows a store")?;
        server.product.run(&["backup"])?.must_end_with(0)?;
        let id = server.product.backups()?.pop().context("there is no backup")?;
        server.psql("\\connect boss\ndrop table kept;")?;
        until("the standby has followed", || Ok(kept().is_err()))?;
        let restore = server
            .product
            .run(&["restore", &id, "--confirm", &id])?
            .must_end_with(0)?;
        restore
            .must_say("replica is a standby of a store that was restored")?
            .must_say("its replication slot `mine` with it: subscribers must be set up anew")?;
        assert_eq!(server.psql(FOLLOWED)?.trim(), "f|f|0\nt|f|0");
        until("the standby has replayed the restore", || {
            Ok(kept().is_ok_and(|said| said.trim() == "7"))
        })?;
        server
            .product
            .run(&["restore", "undo", "--confirm", server.testbed.project()])?
            .must_end_with(0)?;
        assert_eq!(server.psql(FOLLOWED)?.trim(), "f|t|0");
        let all = server.testbed.containers()?;
        ensure!(all.iter().all(|one| one.status == Status::Running), "{all:?}");
        Ok(())
    })
}
