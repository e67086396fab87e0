//! NATS on the real server: every account's streams are backed up, wrecked, restored and proven, by the
//! program and by the stock client; whatever would lose one is refused first.

mod direct;
mod harm;
mod interop;
mod logins;
mod pin;
mod scene;

use anyhow::Result;
use stillpoint_testkit::testbed::Testbed;

use crate::common::{is_back, standing};
use scene::{by_client, copies_again, facts, on_awkward, on_nats, restore, same, state, wreck};

#[test]
fn every_stream_of_every_account_comes_back() -> Result<()> {
    on_awkward("nats", |testbed, product| {
        let before = standing(testbed)?;
        let truth = facts(testbed)?;
        let backup = product.backup()?;
        is_back(testbed, &before)?;
        let folder = product.repository.join(&backup);
        for account in ["APP", "OTHER"] {
            assert!(
                folder.join(format!("nats-jetstream-{account}.tar.gz")).is_file(),
                "{account}"
            );
        }
        product.run(&["verify", &backup])?.must_end_with(0)?;
        same(&truth, &facts(testbed)?)?;

        wreck(testbed)?;
        restore(product, &backup)?;
        is_back(testbed, &before)?;
        same(&truth, &facts(testbed)?)?;
        assert_eq!(state(testbed, "QUICK")?["messages"], 8, "what is kept in memory, too");
        let next = by_client(testbed, "nats consumer next ORDERS half --count 1 --raw")?;
        assert_eq!(next.trim(), "order 110", "the consumer goes on where it was");

        restore(product, &backup)?;
        same(&truth, &facts(testbed)?)?;
        nobody_of_ours_is_there(testbed)?;

        // An origin that was made anew must not be copied again from its beginning.
        copies_again(testbed, 397)?;
        by_client(testbed, "nats publish --jetstream --quiet orders.after one 2>/dev/null")?;
        copies_again(testbed, 398)
    })
}

/// No connection, no snapshot and no half-made stream is left.
fn nobody_of_ours_is_there(testbed: &Testbed) -> Result<()> {
    let connections = by_client(
        testbed,
        "curl -s http://127.0.0.1:8222/connz || wget -qO- http://127.0.0.1:8222/connz",
    )?;
    assert!(!connections.contains("\"stillpoint\""), "{connections}");
    Ok(())
}

#[test]
fn streams_that_the_backup_does_not_know_stay_and_are_told() -> Result<()> {
    on_nats("natsstay", |testbed, product| {
        by_client(
            testbed,
            "nats stream add KNOWN --subjects known --storage file --defaults >/dev/null",
        )?;
        let backup = product.backup()?;
        by_client(
            testbed,
            "nats stream add LATER --subjects later --storage file --defaults >/dev/null",
        )?;
        let ran = product.restore(&backup)?;
        ran.must_say("stream APP/LATER is not in the backup and stays as it is")?;
        by_client(testbed, "nats stream info LATER --json")?;

        // One that takes the same messages cannot go on taking them, and loses none that it has.
        by_client(
            testbed,
            "nats stream rm KNOWN --force
             nats stream add RIVAL --subjects known,other --storage file --defaults >/dev/null
             nats publish --jetstream --quiet --count 3 known mine 2>/dev/null",
        )?;
        let ran = product.restore(&backup)?;
        ran.must_say("stream APP/RIVAL is not in the backup and had subjects of the backup's streams")?
            .must_say("no longer known, other")?;
        assert_eq!(state(testbed, "RIVAL")?["messages"], 3);
        assert_eq!(state(testbed, "KNOWN")?["messages"], 0);
        by_client(testbed, "nats publish --jetstream --quiet known again 2>/dev/null")?;
        assert_eq!(state(testbed, "KNOWN")?["messages"], 1);
        Ok(())
    })
}
