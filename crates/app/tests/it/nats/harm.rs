//! What goes wrong: artifacts that are damaged behind a right hash, a server that fails half-way, a writer
//! who is not part of the platform.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;
use stillpoint_testkit::product::Product;
use stillpoint_testkit::testbed::{Shape, Testbed};

use super::scene::{by_client, facts, on_awkward, on_nats, pack, restore, same, seal_again, state, unpack};
use crate::common::{half_way, hold_dumps, is_back, let_go, on, standing, until};

const ARTIFACT: &str = "nats-jetstream-APP.tar.gz";

/// Changes a stream's file in the backup; the hashes are right afterwards.
fn harm(backup: &Path, file: &str, change: impl FnOnce(Vec<u8>) -> Result<Vec<u8>>) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = unpack(&backup.join(ARTIFACT), folder.path())?.join(file);
    fs::write(&path, change(fs::read(&path)?)?)?;
    pack(folder.path(), &backup.join(ARTIFACT))?;
    seal_again(backup, ARTIFACT)
}

#[test]
fn damage_behind_a_right_hash_is_found_before_anything_is_deleted() -> Result<()> {
    on_awkward("natsdamage", |testbed, product| {
        let before = standing(testbed)?;
        let truth = facts(testbed)?;
        let backup = product.backup()?;
        let folder = product.repository.join(&backup);
        let whole = fs::read(folder.join(ARTIFACT))?;
        let manifest = fs::read(folder.join("manifest.json"))?;
        let again = || -> Result<()> {
            fs::write(folder.join(ARTIFACT), &whole)?;
            Ok(fs::write(folder.join("manifest.json"), &manifest)?)
        };
        harm(&folder, "OBJ_FILES/stream.tar.s2", |bytes| {
            Ok(bytes[..bytes.len() * 6 / 10].to_vec())
        })?;
        refused(product, &backup, "the archive of OBJ_FILES")?;
        same(&truth, &running_facts(testbed, product)?)?;
        again()?;
        harm(&folder, "OBJ_FILES/stream.tar.s2", |mut bytes| {
            let place = bytes.len() * 3 / 4;
            bytes[place] ^= 1;
            Ok(bytes)
        })?;
        refused(product, &backup, "checksum")?;
        same(&truth, &running_facts(testbed, product)?)?;
        again()?;
        restore(product, &backup)?;
        is_back(testbed, &before)?;
        same(&truth, &facts(testbed)?)?;
        Ok(())
    })
}

fn refused(product: &Product, backup: &str, words: &str) -> Result<()> {
    product.run(&["verify", backup])?.must_end_with(15)?.must_say(words)?;
    product
        .run(&["restore", backup, "--confirm", backup, "--discard-old"])?
        .must_end_with(14)?
        .must_say(words)?;
    Ok(())
}

/// What is there when the platform runs again, as it is.
fn running_facts(testbed: &Testbed, product: &Product) -> Result<std::collections::BTreeMap<String, Value>> {
    product.run(&["containers", "start"])?.must_end_with(0)?;
    facts(testbed)
}

#[test]
fn a_restore_that_the_server_breaks_off_leaves_no_part_of_a_stream() -> Result<()> {
    on_nats("natspart", |testbed, product| {
        by_client(
            testbed,
            r#"set -e
            nats stream add AFIRST --subjects first --storage file --defaults >/dev/null
            nats stream add BROKEN --subjects broken --storage file --defaults >/dev/null
            nats stream add CLAST --subjects last --storage file --defaults >/dev/null
            nats publish --jetstream --quiet --count 2000 broken 'message {{Count}}' 2>/dev/null
            nats request --raw '$JS.API.CONSUMER.DURABLE.CREATE.BROKEN.one' \
              '{"stream_name":"BROKEN","config":{"durable_name":"one","ack_policy":"explicit"}}'"#,
        )?;
        let backup = product.backup()?;
        let before = facts(testbed)?;
        let folder = product.repository.join(&backup);
        // Sound, and yet not to be had: only the server knows its consumers' words.
        let whole = fs::read(folder.join(ARTIFACT))?;
        harm(&folder, "BROKEN/stream.tar.s2", |packed| {
            let mut plain = Vec::new();
            minlz::Reader::new(packed.as_slice()).read_to_end(&mut plain)?;
            let (right, wrong) = (b"\"ack_policy\":\"explicit\"", b"\"ack_policy\":\"explicix\"");
            let at = plain.windows(right.len()).rposition(|window| window == right);
            plain[at.context("no consumer is there")?..][..wrong.len()].copy_from_slice(wrong);
            let mut packed = Vec::new();
            let mut writer = minlz::Writer::new(&mut packed);
            writer.write_all(&plain)?;
            writer.flush()?;
            drop(writer);
            Ok(packed)
        })?;
        let ran = product
            .run(&["restore", &backup, "--confirm", &backup])?
            .must_end_with(14)?;
        ran.must_say("gone and not restored: APP/BROKEN; restored: APP/AFIRST; as before: APP/CLAST")?;
        let undo = ["restore", "undo", "--confirm", testbed.project()];
        product.run(&undo)?.must_end_with(0)?;
        same(&before, &facts(testbed)?).context("undone")?;
        product
            .run(&["restore", &backup, "--confirm", &backup, "--discard-old"])?
            .must_end_with(14)?;
        // It was told to keep no way back, so there is none.
        product.run(&undo)?.must_end_with(13)?.must_say("no way back")?;
        product.run(&["containers", "start"])?.must_end_with(0)?;
        let names = by_client(testbed, "nats stream ls --all --names")?;
        assert_eq!(names.split_whitespace().collect::<Vec<_>>(), ["AFIRST", "CLAST"]);

        fs::write(folder.join(ARTIFACT), whole)?;
        seal_again(&folder, ARTIFACT)?;
        restore(product, &backup)?;
        assert_eq!(state(testbed, "BROKEN")?["messages"], 2000);
        Ok(())
    })
}

#[test]
fn a_writer_from_outside_is_named_by_user_account_and_program() -> Result<()> {
    on_nats("natsvisitor", |testbed, product| {
        by_client(
            testbed,
            "nats stream add ORDERS1 --subjects orders1 --storage file --defaults >/dev/null
             nats object add FILES --storage file >/dev/null
             head -c 33554432 /dev/urandom > /tmp/file
             nats object put FILES /tmp/file --name file --force --no-progress >/dev/null",
        )?;
        let writer = Writer::start(testbed)?;
        let ran = product.run(&["backup"]);
        writer.end(testbed)?;
        ran?.must_end_with(1)?
            .must_say("user app, account APP, program outsider")
            .map(drop)
    })
}

#[test]
fn a_marker_of_the_server_voids_nothing_and_a_writer_beside_it_does() -> Result<()> {
    on("natsmarkers", Shape::Lean, |testbed, product| {
        by_client(
            testbed,
            r#"set -e
            nats request --raw '$JS.API.STREAM.CREATE.MARKED' '{"name": "MARKED", "storage": "file", "subjects": ["marked.*"],
                "allow_msg_ttl": true, "subject_delete_marker_ttl": 1000000000}' | grep -q '"did_create":true'
            nats publish --jetstream --quiet 'marked.{{Count}}' x --count 120 --header 'Nats-TTL:{{Count}}s'"#,
        )?;
        for (writes, code) in [(false, 0), (true, 1)] {
            hold_dumps(testbed)?;
            // Marks are compared once more when all is drained.
            let mut running = product.start(&["backup", "--mode", "hold"])?;
            half_way(testbed, &mut running)?;
            let marked = last_sequence(testbed, "MARKED")?;
            until("the server writes a marker", || {
                Ok(last_sequence(testbed, "MARKED")? > marked)
            })?;
            if writes {
                by_client(testbed, "nats publish --jetstream --quiet marked.outside x")?;
            }
            let_go(testbed)?;
            let ran = running.end()?.must_end_with(code)?;
            if writes {
                ran.must_say("APP/MARKED: last sequence")?;
            }
        }
        Ok(())
    })
}

fn last_sequence(testbed: &Testbed, stream: &str) -> Result<u64> {
    Ok(state(testbed, stream)?["last_seq"].as_u64().unwrap_or(0))
}

/// Somebody who is not part of the platform, and whom nobody stops.
struct Writer {
    id: String,
}

impl Writer {
    fn start(testbed: &Testbed) -> Result<Self> {
        // One connection that stays, and comes back at once: the stock client takes seconds.
        let script = r#"trap '' PIPE
        while :; do
            {
                printf 'CONNECT {"verbose":false,"user":"app","pass":"app-secret","name":"outsider"}\r\n'
                while printf 'PUB orders1 1\r\nx\r\n'; do sleep 0.02; done
            } >/dev/tcp/nats/4222
            sleep 0.02
        done 2>/dev/null"#;
        let id = testbed.outsider(script)?;
        until("the writer writes", || Ok(last_sequence(testbed, "ORDERS1")? > 0))?;
        Ok(Self { id })
    }

    fn end(self, testbed: &Testbed) -> Result<()> {
        testbed.docker(&["rm", "-f", &self.id]).map(drop)
    }
}
