//! Two hosts and one repository: who may write, who is told what, and what becomes of a run that was
//! frozen for longer than its lease.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use anyhow::Context as _;
use jiff::SignedDuration;
use stillpoint_core::engine::errors::Exit;
use stillpoint_core::names::BackupId;
use stillpoint_core::operations::{Operations, RunRequest};
use stillpoint_core::ports::{Clock, RepositoryError};
use stillpoint_testkit::fakes::Container;
use stillpoint_testkit::fakes::world::LEASE;
use stillpoint_testkit::faults::Gate;
use stillpoint_testkit::sample::{self, PLATFORM};
use stillpoint_testkit::stage::{Degrades, Told};
use stillpoint_testkit::{Failure, Method, World};

const LEASE_KEY: &str = ".stillpoint/lease.json";

/// Two hosts with the same platform, and one repository. Only its lease keeps them apart.
fn two_hosts() -> (World, World) {
    let here = sample::world();
    let there = sample::world().beside(&here, "there");
    (here, there)
}

/// Begins a run and freezes its process at the gate: it is not polled from there on, and all its timers stand
/// still. Meanwhile `deed` happens. Then it goes on.
async fn frozen<T, U>(
    run: impl Future<Output = T>,
    gate: Gate,
    deed: impl Future<Output = U>,
) -> anyhow::Result<(T, U)> {
    let mut run = pin!(run);
    tokio::select! {
        biased;
        () = gate.reached.cancelled() => {}
        _ = &mut run => anyhow::bail!("the run never came to the gate"),
    }
    let done = deed.await;
    gate.open.cancel();
    Ok((run.await, done))
}

fn lease(world: &World) -> anyhow::Result<serde_json::Value> {
    let text = world.repository.get(LEASE_KEY).context("no lease")?;
    Ok(serde_json::from_slice(&text)?)
}

fn token(world: &World) -> anyhow::Result<u64> {
    lease(world)?["token"].as_u64().context("no token")
}

fn is_free(world: &World) -> bool {
    lease(world).is_ok_and(|lease| lease["holder"].is_null())
}

/// Calls of `method` of an object whose key begins so.
fn calls(world: &World, method: Method, begin: &str) -> usize {
    let calls = world.faults.calls().into_iter();
    calls
        .filter(|call| call.method == method && call.subject.starts_with(begin))
        .count()
}

fn touches_nothing(world: &World) -> bool {
    let calls = world.faults.calls();
    !calls.iter().any(|call| call.method.changes_the_platform())
}

fn is_refused<T: Degrades>(told: &Told<T>, exit: Exit, words: &[&str]) {
    assert_eq!(told.exit(), exit, "{}", told.words());
    for word in words {
        assert!(told.words().contains(word), "`{word}`: {}", told.words());
    }
}

/// A backup of this world dies in the middle of its drain, and leaves its lease behind.
async fn dies(world: &World) {
    world.faults.on(Method::ProcessOutput).of("db").kills();
    assert!(world.faults.live(world.backup()).await.is_none(), "it lives");
    world.faults.reset();
}

/// What is listed, and that all of it is whole.
async fn listed(world: &World) -> anyhow::Result<Vec<BackupId>> {
    let ids: Vec<BackupId> = world.list().await?.backups.iter().map(|backup| backup.id).collect();
    for id in &ids {
        assert!(world.verify(*id).await?.is_empty(), "{id} is damaged");
    }
    Ok(ids)
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_second_is_told_who_writes() -> anyhow::Result<()> {
    let (here, there) = two_hosts();
    let gate = here.faults.on(Method::ProcessOutput).of("db").waits();
    let others = async {
        there.wait_a_minute().await;
        let before = there.picture();
        let told = (there.backup().await.of_any_job(), there.prune().await.of_any_job());
        assert_eq!(before.touched(&there.picture()), [""; 0]);
        told
    };
    let (mine, (backup, prune)) = frozen(here.backup(), gate, others).await?;
    assert_eq!(mine.exit(), Exit::Ok, "{}", mine.words());
    let run = mine.outcome?.manifest.run;
    let words = [
        run.as_str(),
        "process 42 on here",
        "since 2026-02-17T00:00:00Z",
        "platform acme",
    ];
    is_refused(&backup, Exit::Held, &words);
    is_refused(&prune, Exit::Held, &words);
    assert!(touches_nothing(&there) && there.journal.open().is_empty());
    there.wait_a_minute().await;
    assert_eq!(there.backup().await.exit(), Exit::Ok, "it was free again");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn two_processes_of_one_number_that_begin_at_one_moment_are_two() -> anyhow::Result<()> {
    let (here, there) = two_hosts();
    assert_eq!(here.process, there.process);
    let (mine, other) = tokio::join!(here.backup(), there.backup());
    let exits = [mine.exit(), other.exit()];
    assert!(
        exits == [Exit::Ok, Exit::Held],
        "{exits:?}: {} {}",
        mine.words(),
        other.words()
    );
    assert_eq!(listed(&here).await?.len(), 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_lease_whose_holder_died_is_taken_over_after_its_term_and_not_before() -> anyhow::Result<()> {
    let (here, there) = two_hosts();
    dies(&here).await;
    let first = token(&here)?;
    // The drain had lasted for a while: nothing was renewed since it began.
    there.clock.sleep(LEASE.saturating_sub(Duration::from_secs(10))).await;
    is_refused(&there.backup().await, Exit::Held, &["on here", "BACKUP_LEASE_SECONDS"]);
    assert_eq!(token(&here)?, first);
    there.clock.sleep(Duration::from_secs(11)).await;
    let told = there.backup().await;
    assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
    assert!(token(&here)? > first, "the token grows");
    assert!(is_free(&here));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn at_the_last_second_of_its_term_a_lease_holds() -> anyhow::Result<()> {
    let (here, there) = two_hosts();
    // It dies where it has just taken the lease.
    here.faults.on(Method::RepositoryRoom).kills();
    assert!(here.faults.live(here.backup()).await.is_none());
    there.clock.sleep(LEASE).await;
    assert_eq!(there.prune().await.exit(), Exit::Held);
    there.clock.sleep(Duration::from_secs(1)).await;
    assert_eq!(there.prune().await.exit(), Exit::Ok);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_run_that_was_frozen_and_taken_over_does_not_seal() -> anyhow::Result<()> {
    for at in [
        Method::ProcessOutput,
        Method::StorePin,
        Method::PowerStop,
        Method::PowerStart,
    ] {
        let (here, there) = two_hosts();
        let before = here.picture();
        let of = if matches!(at, Method::PowerStop | Method::PowerStart) {
            "api"
        } else {
            "db"
        };
        let gate = here.faults.on(at).of(of).waits();
        let over = async {
            there.clock.sleep(LEASE + Duration::from_secs(1)).await;
            let told = there.backup().await;
            assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
            told.outcome.map(|sealed| sealed.manifest.id)
        };
        let (mine, theirs) = frozen(here.backup(), gate, over).await?;
        is_refused(&mine, Exit::RunFailed, &["was taken over", "what froze this run"]);
        assert_eq!(before.differences(&here.picture()), [""; 0], "{at:?}");
        assert_eq!(listed(&here).await?, [theirs?], "{at:?}");
        let partial = here.list().await?.partial;
        assert!(
            partial.len() == 1 && partial[0].1.contains("taken over"),
            "{at:?}: {partial:?}"
        );
        assert!(is_free(&here) && here.claim(PLATFORM).is_none() && here.journal.open().is_empty());
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_run_that_was_taken_over_says_by_whom() -> anyhow::Result<()> {
    let (here, there) = two_hosts();
    let gate = here.faults.on(Method::ProcessOutput).of("db").waits();
    let theirs = there.faults.on(Method::ProcessOutput).of("db").waits();
    let both = async {
        let over = async {
            there.clock.sleep(LEASE + Duration::from_secs(1)).await;
            there.backup().await
        };
        let mine = frozen(here.backup(), gate, theirs.reached.cancelled());
        let watched = async {
            let mine = mine.await;
            theirs.open.cancel();
            mine
        };
        tokio::join!(watched, over)
    };
    let (mine, theirs) = both.await;
    let (mine, ()) = mine?;
    assert_eq!(theirs.exit(), Exit::Ok, "{}", theirs.words());
    let run = theirs.outcome?.manifest.run;
    let words = ["taken over by run", run.as_str(), "process 42 on there"];
    is_refused(&mine, Exit::RunFailed, &words);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_prune_that_was_frozen_and_taken_over_deletes_nothing_more() -> anyhow::Result<()> {
    let (here, there) = two_hosts();
    for _ in 0..6 {
        here.backup().await.outcome?;
        here.wait_a_minute().await;
    }
    here.clock.sleep(Duration::from_hours(8 * 24)).await;
    assert_eq!(here.would_prune().await.outcome?.plan.gone().count(), 3);
    here.faults.reset();
    let second = listed(&there).await?[1];
    // Frozen while it deletes the first one.
    let gate = here.faults.on(Method::RepositoryDelete).nth(3).waits();
    let over = async {
        there.clock.sleep(LEASE + Duration::from_secs(1)).await;
        there.protect(second).await?;
        let hold = there.faults.on(Method::ProcessOutput).of("db").waits();
        Ok::<_, anyhow::Error>(hold)
    };
    let taken = async {
        let hold = over.await?;
        let mut backup = Box::pin(there.backup());
        tokio::select! {
            biased;
            () = hold.reached.cancelled() => {}
            _ = &mut backup => anyhow::bail!("it never came to its drain"),
        }
        Ok((hold, backup))
    };
    let (mine, taken) = frozen(here.prune(), gate, taken).await?;
    is_refused(&mine, Exit::Held, &["was taken over by run", "on there"]);
    let (hold, backup) = taken?;
    let left = listed(&here).await?;
    assert_eq!(left.len(), 5, "one was gone before the freeze: {left:?}");
    hold.open.cancel();
    let told = backup.await;
    assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
    let left = listed(&here).await?;
    assert!(left.contains(&second), "{left:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_adoption_that_was_frozen_and_taken_over_says_so() -> anyhow::Result<()> {
    let (here, there) = two_hosts();
    let id = "2026-01-05_03-00-00".parse()?;
    here.repository.put(&format!("{id}/db/data.dump"), "orders 5\n");
    let gate = here.faults.on(Method::ProcessFinish).of("db").waits();
    let over = async {
        there.clock.sleep(LEASE + Duration::from_secs(1)).await;
        there.prune().await.exit()
    };
    let (mine, theirs) = frozen(here.adopt(id), gate, over).await?;
    assert_eq!(theirs, Exit::Ok);
    is_refused(&mine, Exit::Held, &["was taken over"]);
    assert_eq!(listed(&here).await?, []);
    here.wait_a_minute().await;
    here.adopt(id).await.outcome?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_adoption_that_sees_its_lease_lost_while_it_reads_says_who_has_it() -> anyhow::Result<()> {
    let here = sample::world();
    let id = "2026-01-05_03-00-00".parse()?;
    for store in ["db/data.dump", "queue/data.dump"] {
        here.repository.put(&format!("{id}/{store}"), "orders 5\n");
    }
    let gate = here.faults.on(Method::ProcessFinish).of("db").waits();
    let other = "{\"format\":1,\"token\":9,\"holder\":{\"run\":\"7-there-1\",\"platform\":\"acme\",\"host\":\"there\",\
                 \"process\":1,\"since\":\"2026-02-17T00:00:00Z\"},\"renewed\":0,\"seconds\":120}";
    let taken = async {
        gate.reached.cancelled().await;
        here.repository.put(LEASE_KEY, other);
        here.wait_a_minute().await;
        gate.open.cancel();
    };
    let (told, ()) = tokio::join!(here.adopt(id), taken);
    is_refused(&told, Exit::Held, &["was taken over by run 7-there-1"]);
    assert_eq!(listed(&here).await?, []);
    assert_eq!(here.repository.get(LEASE_KEY).unwrap_or_default(), other);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_longer_than_its_term_keeps_its_lease() -> anyhow::Result<()> {
    let (here, there) = two_hosts();
    let many: Vec<(String, u64)> = (0..2000).map(|n| (format!("table{n}"), n)).collect();
    let many: Vec<(&str, u64)> = many.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    here.add(Container::store("db", &many));
    let asks = async {
        let mut exits = Vec::new();
        for _ in 0..5 {
            there.wait_a_minute().await;
            exits.push(there.prune().await.exit());
        }
        exits
    };
    let (mine, exits) = tokio::join!(here.backup(), asks);
    assert_eq!(mine.exit(), Exit::Ok, "{}", mine.words());
    assert_eq!(exits, [Exit::Held; 5]);
    let lasted = here.clock.elapsed();
    assert!(lasted > LEASE * 2, "{lasted:?}");
    let thirds = lasted.as_secs() / (LEASE.as_secs() / 3);
    // The seal and the release replace it too.
    let replaced = calls(&here, Method::RepositoryReplace, LEASE_KEY) as u64;
    assert!((thirds..=thirds + 3).contains(&replaced), "{replaced} in {lasted:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn renewals_that_fail_for_less_than_a_term_harm_nobody() -> anyhow::Result<()> {
    let here = sample::world();
    here.add(
        Container::client("web")
            .stops_in(Duration::from_secs(100))
            .asks_to_stop_within(Duration::from_mins(2)),
    );
    here.add(Container::store("db", &[("orders", 5)]).stops_in(Duration::from_secs(100)));
    for n in 1..=2 {
        here.faults.on(Method::RepositoryReplace).of(LEASE_KEY).nth(n).fails();
    }
    let told = here.backup().await;
    assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
    assert!(calls(&here, Method::RepositoryReplace, LEASE_KEY) >= 4);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_lease_whose_answer_got_lost_blocks_nobody() -> anyhow::Result<()> {
    for made_before in [false, true] {
        let (here, there) = two_hosts();
        let method = if made_before {
            here.backup().await.outcome?;
            here.wait_a_minute().await;
            here.faults.reset();
            Method::RepositoryReplace
        } else {
            Method::RepositoryCreate
        };
        here.faults.on(method).of(LEASE_KEY).loses_its_answer();
        let before = here.picture();
        is_refused(&here.backup().await, Exit::Preflight, &["memory", LEASE_KEY]);
        assert_eq!(before.touched(&here.picture()), [""; 0]);
        assert!(is_free(&here), "{:?}", lease(&here)?);
        assert_eq!(there.backup().await.exit(), Exit::Ok);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_renewal_whose_answer_got_lost_is_no_takeover() -> anyhow::Result<()> {
    let here = sample::world();
    // Right before the seal.
    here.faults
        .on(Method::RepositoryReplace)
        .of(LEASE_KEY)
        .loses_its_answer();
    let told = here.backup().await;
    // The seal could not know whether it held: it fails, and everything runs.
    assert!(matches!(told.exit(), Exit::Ok | Exit::RunFailed), "{}", told.words());
    assert!(is_free(&here));
    here.wait_a_minute().await;
    here.faults.reset();
    here.add(
        Container::client("web")
            .stops_in(Duration::from_secs(100))
            .asks_to_stop_within(Duration::from_mins(2)),
    );
    here.add(Container::store("db", &[("orders", 5)]).stops_in(Duration::from_secs(100)));
    here.faults
        .on(Method::RepositoryReplace)
        .of(LEASE_KEY)
        .nth(2)
        .loses_its_answer();
    let told = here.backup().await;
    assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_server_that_ignores_conditions_is_refused_before_anything_stops() -> anyhow::Result<()> {
    let (here, there) = two_hosts();
    here.repository.ignore_conditions();
    let id = "2026-01-05_03-00-00".parse()?;
    let words = ["ignores the conditions", "BACKUP_S3_CONDITIONAL_WRITES"];
    is_refused(&here.backup().await, Exit::Preflight, &words);
    is_refused(&here.prune().await, Exit::Preflight, &words);
    is_refused(&here.adopt(id).await, Exit::Preflight, &words);
    assert!(touches_nothing(&here));
    let keys = there.repository.keys();
    assert_eq!(keys, [".stillpoint/instance.json"], "nothing else is left");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_server_that_ignores_conditions_does_not_lose_its_owner() -> anyhow::Result<()> {
    let here = sample::world();
    let mark = "{\"format\":1,\"platform\":\"other\"}";
    here.repository.put(".stillpoint/instance.json", mark);
    here.repository.ignore_conditions();
    is_refused(
        &here.backup().await,
        Exit::Preflight,
        &["is the repository of platform other"],
    );
    let kept = here.repository.get(".stillpoint/instance.json").unwrap_or_default();
    assert_eq!(kept, mark);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn clocks_that_are_twenty_minutes_apart_stop_nothing() -> anyhow::Result<()> {
    for minutes in [20, -20] {
        let here = sample::world();
        here.repository.set_clock_ahead(SignedDuration::from_mins(minutes));
        let id = "2026-01-05_03-00-00".parse()?;
        let theirs = if minutes > 0 {
            "says 2026-02-17T00:20:00Z"
        } else {
            "says 2026-02-16T23:40:00Z"
        };
        let words = ["clock", theirs, "this host's says 2026-02-17T00:00:00Z", "NTP"];
        is_refused(&here.backup().await, Exit::Preflight, &words);
        is_refused(&here.prune().await, Exit::Preflight, &words);
        is_refused(&here.adopt(id).await, Exit::Preflight, &words);
        assert!(touches_nothing(&here));
        assert!(here.repository.get(LEASE_KEY).is_none());
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn clocks_that_are_five_minutes_apart_agree_and_a_moment_more_does_not() -> anyhow::Result<()> {
    for ahead in [1, -1] {
        let here = sample::world();
        let limit = SignedDuration::from_mins(5 * ahead);
        here.repository.set_clock_ahead(limit);
        assert_eq!(here.backup().await.exit(), Exit::Ok);
        here.wait_a_minute().await;
        here.repository
            .set_clock_ahead(limit + SignedDuration::from_millis(ahead));
        assert_eq!(here.backup().await.exit(), Exit::Preflight);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_says_nothing_is_named_and_never_overwritten() -> anyhow::Result<()> {
    for garbage in [
        "",
        "hello",
        "{}",
        "{\"format\":1,\"token\":1,\"holder\":null,\"renewed\":0,\"seconds\":120,\"more\":1}",
    ] {
        let here = sample::world();
        here.repository.put(LEASE_KEY, garbage);
        let before = here.picture();
        let words = ["memory", LEASE_KEY, "does not say who writes", "remove it by hand"];
        is_refused(&here.backup().await, Exit::Preflight, &words);
        is_refused(&here.prune().await, Exit::Preflight, &words);
        assert_eq!(before.touched(&here.picture()), [""; 0]);
        assert_eq!(here.repository.get(LEASE_KEY).unwrap_or_default(), garbage);
        here.repository.lose(LEASE_KEY);
        here.wait_a_minute().await;
        assert_eq!(here.backup().await.exit(), Exit::Ok);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn every_run_leaves_the_lease_free() -> anyhow::Result<()> {
    let here = sample::world();
    let adopted = "2026-01-05_03-00-00".parse()?;
    here.repository.put(&format!("{adopted}/db/data.dump"), "orders 5\n");
    here.backup().await.outcome?;
    assert!(is_free(&here), "after a backup");
    here.wait_a_minute().await;
    here.faults.on(Method::StorePin).of("db").fails();
    assert_eq!(here.backup().await.exit(), Exit::RunFailed);
    assert!(is_free(&here), "after a backup that failed");
    here.wait_a_minute().await;
    let interrupt = here.interrupt();
    here.faults.on(Method::PinnedDrain).meets(move || interrupt.cancel());
    assert_eq!(here.backup().await.exit(), Exit::Interrupted);
    here.forget_interrupt();
    assert!(is_free(&here), "after a backup that was interrupted");
    here.wait_a_minute().await;
    here.repository.set_capacity(1);
    assert_eq!(here.backup().await.exit(), Exit::Preflight);
    here.repository.set_capacity(u64::MAX);
    assert!(is_free(&here), "after a refused backup");
    here.prune().await.outcome?;
    assert!(is_free(&here), "after a prune");
    here.adopt(adopted).await.outcome?;
    assert!(is_free(&here), "after an adoption");
    assert_eq!(here.adopt(adopted).await.exit(), Exit::Preflight);
    assert!(is_free(&here), "after a refused adoption");
    let holder = here.site().backups.holder().await?;
    assert_eq!(holder, None);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn nothing_is_pruned_or_adopted_while_a_backup_of_this_host_runs() -> anyhow::Result<()> {
    let here = sample::world();
    let id = "2026-01-05_03-00-00".parse()?;
    let gate = here.faults.on(Method::ProcessOutput).of("db").waits();
    let others = async {
        [
            here.prune().await.exit(),
            here.adopt(id).await.exit(),
            here.backup().await.exit(),
        ]
    };
    let (mine, exits) = frozen(here.backup(), gate, others).await?;
    assert_eq!(exits, [Exit::Held; 3]);
    assert_eq!(mine.exit(), Exit::Ok, "{}", mine.words());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn another_platform_is_not_let_in() -> anyhow::Result<()> {
    let here = sample::world();
    here.repository
        .put(".stillpoint/instance.json", "{\"format\":1,\"platform\":\"other\"}");
    let words = ["memory is the repository of platform other", "a place of its own"];
    is_refused(&here.backup().await, Exit::Preflight, &words);
    let order = RunRequest {
        run: None,
        platform: Some(stillpoint_core::names::Project::new(PLATFORM)),
        listener: std::sync::Arc::new(stillpoint_testkit::Recorder::default()),
        cancel: here.interrupt(),
    };
    let Err(error) = here.operations().prune(false, order).await else {
        anyhow::bail!("it was let in");
    };
    assert_eq!(error.class().exit, Exit::Preflight, "{error}");
    is_refused(
        &here.adopt("2026-01-05_03-00-00".parse()?).await,
        Exit::Preflight,
        &words,
    );
    assert!(touches_nothing(&here));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_repository_that_cannot_be_written_is_refused_before_anything_stops() -> anyhow::Result<()> {
    let here = sample::world();
    here.backup().await.outcome?;
    here.wait_a_minute().await;
    here.faults.reset();
    here.repository.make_read_only();
    let before = here.picture();
    is_refused(&here.backup().await, Exit::Preflight, &["refuses access"]);
    is_refused(&here.prune().await, Exit::Preflight, &["refuses access"]);
    assert_eq!(before.touched(&here.picture()), [""; 0]);
    let cause = RepositoryError::Denied {
        key: "x".into(),
        cause: "403".into(),
    };
    let there = sample::world();
    there
        .faults
        .on(Method::RepositoryCreate)
        .always()
        .fails_with(Failure::Repository(cause));
    is_refused(&there.backup().await, Exit::Preflight, &["403"]);
    assert!(touches_nothing(&there));
    Ok(())
}
