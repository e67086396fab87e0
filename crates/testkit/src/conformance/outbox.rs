//! What every outbox promises.
#![expect(missing_docs, reason = "each function's name is the sentence that it asserts")]

use std::sync::Arc;

use anyhow::{Context, ensure};
use jiff::{SignedDuration, Timestamp};
use stillpoint_core::ports::Outbox;
use stillpoint_core::ports::notices::{Notice, NoticeKind, Outcome, Waiting};

/// An outbox under test, and whatever must live as long as it does.
pub struct Subject {
    /// The outbox, empty.
    pub outbox: Arc<dyn Outbox>,
    /// The same, opened by another process.
    pub another: Arc<dyn Outbox>,
    /// Its directory.
    pub keep: Box<dyn std::any::Any + Send + Sync>,
}

/// Declares a test for every function of this suite, over a subject that `$make` returns.
#[macro_export]
macro_rules! outbox_conformance {
    ($make:expr) => {
        $crate::conformance_tests!(
            $crate::conformance::outbox,
            $make,
            [
                an_empty_outbox_has_nothing_to_deliver_and_nothing_to_show,
                a_notice_is_noted_once_whoever_notes_it_again,
                a_delivery_is_given_to_one_and_again_only_when_that_one_has_died,
                what_has_arrived_is_never_attempted_again,
                what_failed_comes_again_at_its_time_and_what_was_given_up_never,
                channels_count_what_arrived_and_what_failed_and_keep_the_last_error,
                the_last_notice_about_a_job_is_the_last_of_the_kinds_that_are_asked_for,
                old_notices_go_and_what_waits_stays,
            ]
        );
    };
}

fn at(minutes: i64) -> Timestamp {
    Timestamp::constant(1_771_286_400, 0) + SignedDuration::from_mins(minutes)
}

/// A notice of this key, noticed so many minutes after midnight.
pub fn notice(key: &str, minutes: i64) -> Notice {
    Notice {
        key: key.to_owned(),
        kind: NoticeKind::Failed,
        job: Some("backup_job".to_owned()),
        run: Some("7".to_owned()),
        platform: Some("acme".to_owned()),
        host: "here".to_owned(),
        at: at(minutes),
        title: "Backup failed".to_owned(),
        text: "größer \u{1f4be} than the disk".to_owned(),
        hint: Some("make room".to_owned()),
        link: None,
    }
}

fn two() -> [String; 2] {
    ["ntfy:a".to_owned(), "slack:b".to_owned()]
}

fn names(taken: &[Waiting]) -> Vec<(&str, &str)> {
    taken
        .iter()
        .map(|waiting| (waiting.notice.key.as_str(), waiting.channel.as_str()))
        .collect()
}

pub async fn an_empty_outbox_has_nothing_to_deliver_and_nothing_to_show(subject: &Subject) -> anyhow::Result<()> {
    let outbox = &subject.outbox;
    ensure!(outbox.take(at(0), at(1), 10).await?.is_empty());
    ensure!(outbox.notices(10).await?.is_empty() && outbox.channels().await?.is_empty());
    ensure!(outbox.last_about("backup_job", &[NoticeKind::Failed]).await?.is_none());
    ensure!(outbox.prune(at(0)).await? == 0);
    Ok(())
}

pub async fn a_notice_is_noted_once_whoever_notes_it_again(subject: &Subject) -> anyhow::Result<()> {
    ensure!(subject.outbox.note(&notice("a", 0), &two()).await?);
    ensure!(!subject.another.note(&notice("a", 5), &two()).await?);
    ensure!(!subject.outbox.note(&notice("a", 5), &[]).await?);
    let noted = subject.another.notices(10).await?;
    ensure!(noted.len() == 1 && noted[0].notice == notice("a", 0), "{noted:?}");
    ensure!(noted[0].deliveries.len() == 2, "{noted:?}");
    Ok(())
}

pub async fn a_delivery_is_given_to_one_and_again_only_when_that_one_has_died(subject: &Subject) -> anyhow::Result<()> {
    subject.outbox.note(&notice("a", 0), &two()).await?;
    ensure!(
        subject.outbox.take(at(-1), at(5), 10).await?.is_empty(),
        "before its time"
    );
    let taken = subject.outbox.take(at(0), at(5), 1).await?;
    ensure!(names(&taken) == [("a", "ntfy:a")], "{taken:?}");
    let others = subject.another.take(at(1), at(5), 10).await?;
    ensure!(names(&others) == [("a", "slack:b")], "{others:?}");
    ensure!(
        subject.another.take(at(4), at(9), 10).await?.is_empty(),
        "both are held"
    );
    let again = subject.another.take(at(5), at(9), 10).await?;
    ensure!(again.len() == 2 && again[0].notice == notice("a", 0), "{again:?}");
    Ok(())
}

pub async fn what_has_arrived_is_never_attempted_again(subject: &Subject) -> anyhow::Result<()> {
    subject.outbox.note(&notice("a", 0), &two()[..1]).await?;
    let taken = subject.outbox.take(at(0), at(5), 10).await?;
    subject.outbox.attempted(&taken[0], at(1), &Outcome::Delivered).await?;
    ensure!(subject.another.take(at(100), at(105), 10).await?.is_empty());
    let noted = subject.another.notices(1).await?;
    let delivery = noted[0].deliveries.first().context("no delivery")?;
    ensure!(delivery.delivered_at == Some(at(1)) && delivery.again_at.is_none() && delivery.tries == 1);
    Ok(())
}

pub async fn what_failed_comes_again_at_its_time_and_what_was_given_up_never(subject: &Subject) -> anyhow::Result<()> {
    subject.outbox.note(&notice("a", 0), &two()[..1]).await?;
    let failed = |again| Outcome::Failed {
        why: "it hangs".to_owned(),
        again,
    };
    let taken = subject.outbox.take(at(0), at(5), 10).await?;
    subject
        .outbox
        .attempted(&taken[0], at(1), &failed(Some(at(20))))
        .await?;
    ensure!(
        subject.another.take(at(19), at(25), 10).await?.is_empty(),
        "before its time"
    );
    let taken = subject.another.take(at(20), at(25), 10).await?;
    ensure!(taken.len() == 1 && taken[0].tries == 1, "{taken:?}");
    subject.another.attempted(&taken[0], at(21), &failed(None)).await?;
    ensure!(
        subject.outbox.take(at(10_000), at(10_001), 10).await?.is_empty(),
        "given up"
    );
    let noted = subject.outbox.notices(1).await?;
    let delivery = noted[0].deliveries.first().context("no delivery")?;
    ensure!(delivery.error.as_deref() == Some("it hangs") && delivery.delivered_at.is_none() && delivery.tries == 2);
    Ok(())
}

pub async fn channels_count_what_arrived_and_what_failed_and_keep_the_last_error(
    subject: &Subject,
) -> anyhow::Result<()> {
    subject.outbox.answered("ntfy:a", at(0), None).await?;
    subject.another.answered("ntfy:a", at(1), Some("gone")).await?;
    subject.outbox.answered("beat:b", at(2), None).await?;
    let channels = subject.another.channels().await?;
    let counted: Vec<_> = channels
        .iter()
        .map(|note| (note.channel.as_str(), note.delivered, note.failed))
        .collect();
    ensure!(counted == [("beat:b", 1, 0), ("ntfy:a", 1, 1)], "{counted:?}");
    let ntfy = &channels[1];
    ensure!(
        ntfy.delivered_at == Some(at(0)) && ntfy.failed_at == Some(at(1)),
        "{ntfy:?}"
    );
    ensure!(ntfy.error.as_deref() == Some("gone"), "{ntfy:?}");
    Ok(())
}

pub async fn the_last_notice_about_a_job_is_the_last_of_the_kinds_that_are_asked_for(
    subject: &Subject,
) -> anyhow::Result<()> {
    let outbox = &subject.outbox;
    outbox.note(&notice("first", 0), &[]).await?;
    outbox.note(&notice("second", 1), &[]).await?;
    let good = Notice {
        kind: NoticeKind::Recovered,
        ..notice("good", 2)
    };
    outbox.note(&good, &[]).await?;
    let other = Notice {
        job: Some("verify_job".to_owned()),
        ..notice("other", 3)
    };
    outbox.note(&other, &[]).await?;
    let failed = outbox.last_about("backup_job", &[NoticeKind::Failed, NoticeKind::Overdue]);
    ensure!(failed.await?.context("none")?.key == "second");
    let any = outbox.last_about("backup_job", &[NoticeKind::Failed, NoticeKind::Recovered]);
    ensure!(any.await?.context("none")?.key == "good");
    ensure!(outbox.last_about("prune_job", &[NoticeKind::Failed]).await?.is_none());
    Ok(())
}

pub async fn old_notices_go_and_what_waits_stays(subject: &Subject) -> anyhow::Result<()> {
    let outbox = &subject.outbox;
    outbox.note(&notice("over", 0), &[]).await?;
    outbox.note(&notice("waits", 0), &two()).await?;
    outbox.note(&notice("new", 60), &[]).await?;
    ensure!(outbox.prune(at(30)).await? == 1);
    let left = outbox.notices(10).await?;
    let left: Vec<&str> = left.iter().map(|noted| noted.notice.key.as_str()).collect();
    ensure!(left == ["new", "waits"], "{left:?}");
    Ok(())
}
