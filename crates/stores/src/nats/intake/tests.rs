//! An archive goes into the spool unseen, and what is wrong with it is found when it is handed on.

use std::sync::Arc;
use std::time::Duration;

use stillpoint_core::events::{Event, Listener, Reporter};
use stillpoint_core::names::RunId;
use stillpoint_testkit::fakes::World;
use tokio_util::sync::CancellationToken;

use super::super::archive::sample;
use super::*;

struct Deaf;

impl Listener for Deaf {
    fn hear(&self, _event: &Event) {}
}

/// An archive in pieces.
struct Torn(Vec<Bytes>);

#[async_trait]
impl Pieces for Torn {
    async fn next(&mut self, _cx: &Cx) -> Result<Option<Bytes>, StoreError> {
        Ok((!self.0.is_empty()).then(|| self.0.remove(0)))
    }
}

fn cx() -> Cx {
    let site = World::of([]).site();
    Cx {
        owner: RunId::new("run"),
        report: Reporter::new(RunId::new("run"), site.machine.clock.clone(), Arc::new(Deaf)),
        shell: site.machine.shell,
        reach: site.machine.reach,
        gateway: site.machine.gateway,
        buckets: site.machine.buckets,
        spool: site.machine.spool,
        clock: site.machine.clock,
        cancel: CancellationToken::new(),
        idle_limit: Duration::from_mins(1),
        processors: 1,
    }
}

/// What comes out, and what was found in it.
fn handed_on(archive: &[u8]) -> (Vec<u8>, Result<Counted, StoreError>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let pieces = archive.chunks(100).map(Bytes::copy_from_slice).collect();
        let spooled = write_to_spool(&cx(), &mut Torn(pieces)).await.unwrap();
        assert_eq!(spooled.size, archive.len() as u64);
        let mut out = Vec::new();
        let counted = hand_on(&cx(), "the archive", spooled, &mut out).await;
        (out, counted)
    })
}

#[test]
fn what_was_laid_down_is_handed_on_and_counted() {
    let archive = sample::packed(&sample::plain(&sample::whole()));
    let (out, counted) = handed_on(&archive);
    assert_eq!(out, archive);
    assert!(counted.unwrap().messages.unwrap().count > 0);
}

#[test]
fn an_archive_that_is_damaged_is_taken_and_not_handed_on() {
    let archive = sample::packed(&sample::plain(&sample::whole()));
    let mut flipped = archive.clone();
    *flipped.last_mut().unwrap() ^= 1;
    for damaged in [&archive[..archive.len() - 1], &flipped] {
        let error = handed_on(damaged).1.unwrap_err();
        assert!(matches!(error, StoreError::Damaged(_)), "{error}");
    }
}
