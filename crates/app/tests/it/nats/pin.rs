//! What is pinned stays as it was: whatever becomes of the streams, and of the server, between the pin and
//! the end of the drain. A pin that does not come about leaves nothing.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use stillpoint_adapters::spool::DiskSpool;
use stillpoint_core::logins::Passwords;
use stillpoint_core::ports::Spool;
use stillpoint_core::stores::{Cx, Source, StoreError};
use stillpoint_testkit::disks::SmallDisk;
use stillpoint_testkit::testbed::Testbed;
use tokio_util::sync::CancellationToken;

use super::direct::{Direct, Odd};
use super::scene::{NATS, by_client, facts, on_awkward, on_nats, same, unpack};
use crate::common::{is_back, standing, until};

/// Everything that clients do to streams: purge, delete, acknowledge, write, remove.
const GO_ON: &str = r#"
set -euo pipefail
nats stream purge ORDERS --force >/dev/null
nats consumer next JOBS runner --count 20 --raw >/dev/null
nats consumer next ORDERS half --count 1 --raw >/dev/null 2>&1 || true
nats publish --jetstream --quiet short late 2>/dev/null
nats request --raw '$JS.API.STREAM.MSG.DELETE.SHORT' '{"seq":1}' >/dev/null
nats kv put CONFIG key late >/dev/null
nats stream rm OBJ_FILES --force >/dev/null
nats consumer rm JOBS runner --force >/dev/null
"#;

#[test]
fn what_clients_do_after_the_pin_is_not_in_the_archive() -> Result<()> {
    on_awkward("natspin", |testbed, _| {
        let truth = facts(testbed)?;
        let direct = Direct::of(testbed)?;
        let backup = direct.backup(testbed)?;
        let (run, store, cx) = (&direct.runtime, &direct.store, &direct.cx);
        let planned = run.block_on(store.preflight(cx))?.spool;
        let before = run.block_on(store.watermark(cx))?;
        let mut pinned = run.block_on(store.pin(cx, &backup.sink))?;
        assert!(!pinned.needs_standstill());
        let written = run.block_on(store.writes_since(cx, &before))?;
        assert_eq!(written.moved, Vec::<String>::new(), "the pin itself moves no mark");

        by_client(testbed, GO_ON).context("clients go on")?;
        // Nothing is asked of the server any more.
        testbed.docker(&["stop", &testbed.container(NATS)?])?;
        let record = run
            .block_on(pinned.drain(cx, &backup.sink))?
            .record(&**store, None, None);
        run.block_on(pinned.release());
        testbed.docker(&["start", &testbed.container(NATS)?])?;
        run.block_on(store.ready(cx))?;

        for (what, count) in [
            ("APP/ORDERS: messages", 397),
            ("APP/JOBS: messages", 40),
            ("APP/JOBS: consumer runner: acknowledged up to", 20),
            ("APP/SHORT: last sequence", 3),
            ("APP/QUICK: messages", 8),
            ("OTHER/ORDERS: messages", 25),
        ] {
            let counted = record.inventory.0.get(what).map(|count| count.count);
            assert_eq!(counted, Some(count), "{what}");
        }
        let spooled = archives(&backup.folder)?;
        assert!(spooled <= planned, "{spooled} bytes were spooled, of at most {planned}");
        let source = Source {
            record,
            artifacts: backup.artifacts.clone(),
            objects: Vec::new(),
            passwords: Passwords::Keep,
            accepted: Vec::new(),
        };
        run.block_on(store.unexamined(source).carry_out(cx, 0))?;
        same(&truth, &facts(testbed)?)
    })
}

/// Bytes of all archives of a backup: what lay in the spool.
fn archives(backup: &Path) -> Result<u64> {
    let mut bytes = 0;
    for account in ["APP", "OTHER"] {
        let folder = tempfile::tempdir()?;
        let streams = unpack(&backup.join(format!("nats-jetstream-{account}.tar.gz")), folder.path())?;
        for stream in std::fs::read_dir(streams)? {
            bytes += std::fs::metadata(stream?.path().join("stream.tar.s2"))?.len();
        }
    }
    Ok(bytes)
}

/// 16 MiB that cannot be packed.
const BULK: &str = "nats object add BULK --storage file >/dev/null
    head -c 16777216 /dev/urandom > /tmp/bulk
    nats object put BULK /tmp/bulk --name bulk --force --no-progress >/dev/null";

#[test]
fn a_pin_that_is_cancelled_leaves_nothing() -> Result<()> {
    on_nats("natscancel", |testbed, _| {
        by_client(testbed, BULK)?;
        let direct = Direct::of(testbed)?;
        let cancel = CancellationToken::new();
        let cx = Cx {
            cancel: cancel.clone(),
            spool: Arc::new(Odd {
                spool: direct.cx.spool.clone(),
                cancels: Some(cancel),
            }),
            ..direct.cx.clone()
        };
        let backup = direct.backup(testbed)?;
        let failed = direct.runtime.block_on(direct.store.pin(&cx, &backup.sink)).err();
        assert!(matches!(failed, Some(StoreError::Cancelled)), "{failed:?}");
        nothing_is_left(testbed, &*direct.cx.spool)
    })
}

/// No connection and no snapshot at the server, no file in the spool.
fn nothing_is_left(testbed: &Testbed, spool: &dyn Spool) -> Result<()> {
    let place = spool.place();
    assert_eq!(std::fs::read_dir(&place)?.count(), 0);
    until("the spool's files are closed", || Ok(open_below(&place)? == 0))?;
    until("the server has nobody of ours", || {
        let there = by_client(
            testbed,
            "curl -s http://127.0.0.1:8222/connz; curl -s 'http://127.0.0.1:8222/subsz?subs=1'",
        )?;
        let left = ["\"stillpoint\"", "\"_INBOX", "$JS.SNAPSHOT"];
        Ok(there.contains("\"num_connections\"") && !left.iter().any(|left| there.contains(left)))
    })
}

/// Files below a directory that this process has open, whether or not they have a name.
fn open_below(place: &str) -> Result<usize> {
    let mut count = 0;
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let target = std::fs::read_link(entry?.path()).unwrap_or_default();
        count += usize::from(target.starts_with(place));
    }
    Ok(count)
}

#[test]
fn a_spool_that_is_too_small_is_found_before_the_stop_and_at_the_pin() -> Result<()> {
    let Some(disk) = SmallDisk::mount(4 << 20)? else {
        return Ok(());
    };
    on_nats("natsspool", |testbed, product| {
        by_client(testbed, BULK)?;
        let before = standing(testbed)?;
        let mut cramped = product.clone();
        disk.path().clone_into(&mut cramped.state);
        cramped.run(&["backup"])?.must_end_with(12)?.must_say("nats 1")?;
        is_back(testbed, &before)?;
        assert_eq!(product.backups()?, Vec::<String>::new());

        let direct = Direct::of(testbed)?;
        let spool: Arc<dyn Spool> = Arc::new(DiskSpool::in_folder(disk.path().join("spool")));
        let cx = |spool| Cx {
            spool,
            ..direct.cx.clone()
        };
        let backup = direct.backup(testbed)?;
        let pinned = |cx: Cx| direct.runtime.block_on(direct.store.pin(&cx, &backup.sink)).err();
        // Something has grown since the preflight.
        let failed = pinned(cx(spool.clone()));
        spool_failed(failed, &*spool, "the streams of nats need")?;
        // Something else fills the disk meanwhile.
        let odd = Odd {
            spool: spool.clone(),
            cancels: None,
        };
        let failed = pinned(cx(Arc::new(odd)));
        spool_failed(failed, &*spool, "No space left")?;
        nothing_is_left(testbed, &*spool)
    })
}

fn spool_failed(failed: Option<StoreError>, spool: &dyn Spool, words: &str) -> Result<()> {
    let Some(StoreError::Spool(error)) = failed else {
        bail!("the spool did not fail: {failed:?}");
    };
    assert_eq!(error.place, spool.place());
    assert!(error.cause.contains(words), "{error}");
    Ok(())
}
