//! Who we are to the server: a login for every account that has streams, else nothing is stopped; and
//! servers that know us by nothing, by a token, by a key, or over TLS.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use jiff::Timestamp;
use rcgen::{CertificateParams, KeyPair};
use stillpoint_core::names::BackupId;
use stillpoint_testkit::product::Product;
use stillpoint_testkit::testbed::{Shape, Testbed};

use super::scene::{NATS, by_client, on_nats, restore};
use crate::common::{PROGRAM, is_back, standing, until};

#[test]
fn a_login_that_is_missing_or_wrong_is_refused_before_anything_is_stopped() -> Result<()> {
    on_nats("natslogin", |testbed, product| {
        by_client(
            testbed,
            "nats stream add ONE --subjects one --storage file --defaults >/dev/null
             nats stream add TWO --user other --password \"$NATS_OTHER_PASSWORD\" --subjects two --storage file --defaults >/dev/null",
        )?;
        let before = standing(testbed)?;
        let events = testbed.events_recorder()?;
        let refused = |product: &Product, words: &[&str]| -> Result<()> {
            let mut ran = product.run(&["backup"])?.must_end_with(12)?;
            for words in words {
                ran = ran.must_say(words)?;
            }
            assert!(
                !format!("{}{}", ran.out, ran.err).contains("-secret"),
                "a password was shown"
            );
            Ok(())
        };
        refused(
            &product
                .clone()
                .with("STILLPOINT_NATS_ACCOUNTS", "APP")
                .without("STILLPOINT_NATS_OTHER_USER")
                .without("STILLPOINT_NATS_OTHER_PASSWORD"),
            &[
                "no login for account OTHER with streams",
                "STILLPOINT_NATS_ACCOUNTS",
                "STILLPOINT_NATS_<ACCOUNT>_USER",
            ],
        )?;
        refused(
            &product.clone().with("STILLPOINT_NATS_OTHER_PASSWORD", "wrong-secret"),
            &["nats refused user `other`", "STILLPOINT_NATS_OTHER_PASSWORD"],
        )?;
        refused(
            &product
                .clone()
                .with("STILLPOINT_NATS_OTHER_USER", "app")
                .with("STILLPOINT_NATS_OTHER_PASSWORD", "app-secret"),
            &["account APP and account OTHER show the same streams"],
        )?;
        // It may take snapshots, and not see whose consumers are where.
        refused(
            &product
                .clone()
                .with("STILLPOINT_NATS_APP_USER", "bk")
                .with("STILLPOINT_NATS_APP_PASSWORD", "bk-secret"),
            &[
                "nats refused user `bk`",
                "Permissions Violation for Publish",
                "CONSUMER.LIST",
                "docs/stores/nats.md",
            ],
        )?;
        let stopped = events.stop()?.iter().any(|event| event.action == "die");
        assert!(!stopped, "something was stopped");
        is_back(testbed, &before)
    })
}

/// Runs a test on a platform that is one server with this configuration, which finds `files` in `/config`.
fn on_server(
    name: &str,
    config: &str,
    files: &[(&str, &str)],
    test: impl FnOnce(&Testbed, &Product) -> Result<()>,
) -> Result<()> {
    let folder = tempfile::tempdir()?;
    Testbed::for_test(name, Shape::Nats)?.examined(|testbed| {
        let files = [("nats.conf", config)].into_iter().chain(files.iter().copied());
        start(testbed, &folder.path().join("config"), files)?;
        let product = Product::new(PROGRAM, folder.path()).with("STILLPOINT_PLATFORM", testbed.project());
        test(testbed, &product)
    })
}

fn start<'a>(testbed: &Testbed, folder: &Path, files: impl Iterator<Item = (&'a str, &'a str)>) -> Result<()> {
    fs::create_dir_all(folder)?;
    for (name, content) in files {
        fs::write(folder.join(name), content)?;
    }
    let images = stillpoint_testkit::testbed::images()?;
    let image = images.get("IMG_NATS").context("there is no image of NATS")?;
    let project = format!("com.docker.compose.project={}", testbed.project());
    let labels = [
        project.as_str(),
        "com.docker.compose.service=nats",
        "com.docker.compose.container-number=1",
        "com.docker.compose.oneoff=False",
    ];
    let labels = labels.iter().flat_map(|label| ["--label", label]);
    let arguments = ["create"]
        .into_iter()
        .chain(labels)
        .chain([image.as_str(), "--config", "/config/nats.conf"]);
    let id = testbed.docker(&arguments.collect::<Vec<_>>())?;
    testbed.docker(&["cp", &folder.to_string_lossy(), &format!("{id}:/config")])?;
    testbed.docker(&["start", &id]).map(drop)
}

/// Backs up one stream, deletes it and brings it back.
fn round_trip(testbed: &Testbed, product: &Product, client: &str) -> Result<()> {
    let call = |words: &str| testbed.beside(NATS, &format!("{client}\n{words}"));
    let ready = "for n in $(seq 100); do nats account info >/dev/null 2>&1 && break; sleep 0.1; done";
    call(&format!(
        "{ready}\nnats stream add ONE --subjects one --storage file --defaults >/dev/null"
    ))?;
    call("nats publish --jetstream --quiet --count 50 one 'message {{Count}}' 2>/dev/null")?;
    let backup = product.backup()?;
    assert!(product.repository.join(&backup).join("nats-jetstream.tar.gz").is_file());
    call("nats stream rm ONE --force")?;
    restore(product, &backup)?;
    let state = call("nats stream info ONE --json")?;
    assert!(state.contains("\"messages\": 50"), "{state}");
    Ok(())
}

const JETSTREAM: &str = "jetstream { store_dir: /data }\n";

#[test]
fn a_server_that_lets_everybody_in() -> Result<()> {
    // Its monitoring is off, too: that is told, and stops nothing.
    on_server("natsopen", JETSTREAM, &[], |testbed, product| {
        round_trip(testbed, product, "unset NATS_USER NATS_PASSWORD")?;
        let ran = product.run(&["backup"])?.must_end_with(0)?;
        ran.must_say("its monitoring port does not answer")?;
        Ok(())
    })
}

#[test]
fn a_server_that_knows_us_by_a_token() -> Result<()> {
    let config = format!("{JETSTREAM}http: 8222\nauthorization {{ token: t0ken }}\n");
    on_server("natstoken", &config, &[], |testbed, product| {
        let ran = product.run(&["backup"])?.must_end_with(12)?;
        ran.must_say("STILLPOINT_NATS_TOKEN")?;
        let product = product.clone().with("STILLPOINT_NATS_TOKEN", "t0ken");
        round_trip(testbed, &product, "unset NATS_PASSWORD; export NATS_USER=t0ken")
    })
}

#[test]
fn a_server_that_knows_us_by_a_key() -> Result<()> {
    let key = nkeys::KeyPair::new_user();
    let seed = key.seed()?;
    let config = format!(
        "{JETSTREAM}http: 8222\nauthorization {{ users: [ {{ nkey: {} }} ] }}\n",
        key.public_key()
    );
    on_server("natsnkey", &config, &[], |testbed, product| {
        let file = tempfile::NamedTempFile::new()?;
        fs::write(file.path(), format!("{seed}\n"))?;
        let product = product.clone().with("STILLPOINT_NATS_NKEY_SEED_FILE", file.path());
        let client = format!("unset NATS_USER NATS_PASSWORD\necho {seed} > /tmp/seed\nexport NATS_NKEY=/tmp/seed");
        round_trip(testbed, &product, &client)
    })
}

#[test]
fn a_server_over_tls_must_prove_its_name() -> Result<()> {
    let made = |name: &str| -> Result<(String, String)> {
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new([name.to_owned(), "127.0.0.1".to_owned()])?.self_signed(&key)?;
        Ok((certificate.pem(), key.serialize_pem()))
    };
    let (certificate, key) = made("nats")?;
    let (strange, _) = made("nats")?;
    let tls = "tls { cert_file: /config/cert.pem, key_file: /config/key.pem }\nhttp: 8222\n";
    let config = format!("{JETSTREAM}{tls}");
    let files = [("cert.pem", certificate.as_str()), ("key.pem", key.as_str())];
    on_server("natstls", &config, &files, |testbed, product| {
        let ran = product.run(&["backup"])?.must_end_with(12)?;
        ran.must_say("STILLPOINT_NATS_TLS_CA_FILE")?;
        let trusting = |text: &str| -> Result<(tempfile::NamedTempFile, Product)> {
            let file = tempfile::NamedTempFile::new()?;
            fs::write(file.path(), text)?;
            let product = product.clone().with("STILLPOINT_NATS_TLS_CA_FILE", file.path());
            Ok((file, product))
        };
        let (_other, wrong) = trusting(&strange)?;
        wrong.run(&["backup"])?.must_end_with(12)?;
        let (_file, right) = trusting(&certificate)?;
        right
            .clone()
            .with("STILLPOINT_NATS_TLS_NAME", "another.example")
            .run(&["backup"])?
            .must_end_with(12)?;
        let client = format!(
            "unset NATS_USER NATS_PASSWORD\ncat > /tmp/ca.pem <<'END'\n{certificate}END\n\
             export NATS_CA=/tmp/ca.pem NATS_URL=tls://127.0.0.1:4222"
        );
        round_trip(testbed, &right, &client)
    })
}

#[test]
fn a_server_without_jetstream_is_refused_with_the_way_out() -> Result<()> {
    on_server("natscore", "http: 8222\n", &[], |_, product| {
        let ran = product.run(&["backup"])?.must_end_with(12)?;
        ran.must_say("JetStream is not enabled")?
            .must_say("stillpoint.kind=none")?;
        Ok(())
    })
}

/// What the streams of the backup ask for is compared before anything stops; an account that wants bounds is no lack of rights.
#[test]
fn limits_that_the_streams_do_not_fit_into_are_named_before_anything_is_stopped() -> Result<()> {
    let server = |jetstream: &str, account: &str| {
        // What an account may have is reserved for it.
        let account = match account {
            "" => "enabled".to_owned(),
            limits => format!("{{ {limits} }}"),
        };
        format!(
            "jetstream {{ store_dir: /data, {jetstream} }}\nhttp: 8222\naccounts {{ APP {{ jetstream: {account}, \
             users: [ {{ user: app, password: app }} ] }} }}\n"
        )
    };
    let wide = server("max_memory_store: 1GB, max_file_store: 1GB", "");
    let folder = tempfile::tempdir()?;
    Testbed::for_test("natslimits", Shape::Nats)?.examined(|testbed| {
        let config = folder.path().join("config");
        let begin = |text: &str| start(testbed, &config, [("nats.conf", text)].into_iter());
        begin(&wide)?;
        let product = Product::new(PROGRAM, folder.path())
            .with("STILLPOINT_PLATFORM", testbed.project())
            .with("STILLPOINT_NATS_USER", "app")
            .with("STILLPOINT_NATS_PASSWORD", "app");
        let client = "export NATS_USER=app NATS_PASSWORD=app\nfor n in $(seq 100); do nats account info >/dev/null 2>&1 && break; \
                      sleep 0.1; done\n";
        let make = |name: &str, more: &str| {
            format!("nats stream add {name} --subjects {name} {more} --defaults >/dev/null\n")
        };
        let streams = [
            make("DISK", "--storage file --max-bytes 50MB"),
            make("QUICK", "--storage memory --max-bytes 20MB"),
        ];
        testbed.beside(NATS, &format!("{client}{}nats publish --jetstream --quiet DISK x 2>/dev/null", streams.concat()))?;
        let bound = product.backup()?;
        testbed.beside(NATS, &format!("{client}{}", make("FREE", "--storage file")))?;
        // Backups are named after the second in which they begin.
        until("the next second begins", || {
            Ok(BackupId::at(Timestamp::now()).to_string() != bound)
        })?;
        let free = product.backup()?;
        let cases = [
            ("max_memory_store: 10MB, max_file_store: 1GB", "", &bound, "raise `max_memory_store`"),
            ("max_memory_store: 1GB, max_file_store: 40MB", "", &bound, "raise `max_file_store`"),
            ("", "max_mem: 10MB, max_file: 1GB", &bound, "raise `max_mem`"),
            ("", "max_mem: 1GB, max_file: 40MB", &bound, "raise `max_file`"),
            ("", "max_mem: 1GB, max_file: 1GB, max_streams: 1", &bound, "raise `max_streams`"),
            ("", "max_mem: 1GB, max_file: 1GB, max_bytes_required: true", &free, "FREE"),
        ];
        for (jetstream, account, backup, words) in cases {
            testbed.docker(&["rm", "--force", "--volumes", &testbed.container(NATS)?])?;
            begin(&server(jetstream, account))?;
            testbed.beside(NATS, client)?;
            for arguments in [
                vec!["restore", "--dry-run", backup.as_str()],
                vec!["restore", backup.as_str(), "--confirm", backup.as_str()],
            ] {
                product.run(&arguments)?.must_end_with(13)?.must_say(words).context(words)?;
            }
        }
        // The last account wants bounds, and these streams have them.
        restore(&product, &bound)
    })
}
