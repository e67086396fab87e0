//! No lock-in: what the program wrote, the stock client restores; what the stock client wrote, the program
//! takes over and restores.

use std::fs;

use anyhow::Result;
use stillpoint_testkit::testbed::{Shape, Testbed};

use crate::page::commands;

use super::scene::{NATS, facts, on_awkward, pack, restore, same, wreck};

/// Packs files into text and back: the client runs in a container that shares no folder with us.
fn in_client(testbed: &Testbed, artifact: &std::path::Path, name: &str, script: &str) -> Result<String> {
    let encoded = std::process::Command::new("base64").arg("-w0").arg(artifact).output()?;
    let encoded = String::from_utf8(encoded.stdout)?;
    let script = format!(
        "set -euo pipefail\nmkdir -p /tmp/backup && cd /tmp/backup\nbase64 -d > {name} <<'END'\n{encoded}\nEND\n{script}"
    );
    testbed.beside(NATS, &script)
}

#[test]
fn the_stock_client_restores_what_we_wrote() -> Result<()> {
    on_awkward("natsbyhand", |testbed, product| {
        let truth = facts(testbed)?;
        let folder = product.repository.join(product.backup()?);
        Testbed::for_test("natsother", Shape::Nats)?.examined(|empty| {
            empty.up()?;
            for (account, login) in [
                ("APP", ""),
                (
                    "OTHER",
                    "export NATS_USER=other NATS_PASSWORD=\"$NATS_OTHER_PASSWORD\"\n",
                ),
            ] {
                let name = format!("nats-jetstream-{account}.tar.gz");
                let script = format!("{login}ARTIFACT={name}\n{}", commands("NATS")?.concat());
                in_client(empty, &folder.join(&name), &name, &script)?;
            }
            same(&truth, &facts(empty)?)?;
            Ok(())
        })
    })
}

#[test]
fn what_the_stock_client_wrote_is_taken_over_and_restored() -> Result<()> {
    on_awkward("natsadopt", |testbed, product| {
        let truth = facts(testbed)?;
        let backup = "2026-01-02_03-04-05";
        let folder = product.repository.join(backup);
        fs::create_dir_all(&folder)?;
        for (account, login) in [
            ("APP", ""),
            (
                "OTHER",
                "export NATS_USER=other NATS_PASSWORD=\"$NATS_OTHER_PASSWORD\"\n",
            ),
        ] {
            let script = format!(
                "{login}set -euo pipefail\nmkdir /tmp/made && cd /tmp/made\nnats backup account nats-backup --force >&2\ntar -c nats-backup | base64 -w0"
            );
            let encoded = testbed.beside(NATS, &script)?;
            let unpacked = tempfile::tempdir()?;
            let tar = unpacked.path().join("made.tar");
            fs::write(unpacked.path().join("encoded"), encoded)?;
            let decoded = std::process::Command::new("base64")
                .arg("-d")
                .arg(unpacked.path().join("encoded"))
                .output()?;
            fs::write(&tar, decoded.stdout)?;
            let status = std::process::Command::new("tar")
                .arg("-xf")
                .arg(&tar)
                .arg("-C")
                .arg(unpacked.path())
                .status()?;
            assert!(status.success());
            assert!(
                unpacked.path().join("nats-backup/ORDERS/stream.arc.s2").is_file(),
                "the client's newer name"
            );
            pack(
                unpacked.path(),
                &folder.join(format!("nats-jetstream-{account}.tar.gz")),
            )?;
        }
        product.run(&["adopt", backup])?.must_end_with(0)?;
        wreck(testbed)?;
        restore(product, backup)?;
        same(&truth, &facts(testbed)?)?;
        Ok(())
    })
}
