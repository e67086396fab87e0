//! Platforms as they are out there, on the real engine: stores under names of their own, clients that look like stores,
//! what is beside the stores, and what a stop would lose.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use stillpoint_testkit::product::Product;
use stillpoint_testkit::testbed::{Status, Testbed, images};

use crate::common::{on_mini, until};

/// An image of the testbed under a name that tells nothing.
fn tagged(testbed: &Testbed, image: &str, tag: &str) -> Result<String> {
    let tag = format!("{}-{tag}:1", testbed.project());
    let known = images()?;
    let image = known.get(&format!("IMG_{image}")).context("no such image")?;
    testbed.docker(&["tag", image, &tag])?;
    Ok(tag)
}

/// A server that was set up with a password, runs without one in its environment, and is told its own name.
fn own_postgres(testbed: &Testbed) -> Result<()> {
    let image = tagged(testbed, "POSTGRES", "acme-db")?;
    let volume = format!("--volume={}_db:/var/lib/postgresql/data", testbed.project());
    let network = format!("--network={}_backend", testbed.project());
    let of_all = [
        volume.as_str(),
        &network,
        "--network-alias=db",
        "--restart=unless-stopped",
        "--entrypoint=sh",
    ];
    let server = ["-c", "docker-entrypoint.sh postgres & wait"];
    let first = testbed.guest(
        "db",
        &image,
        &[&of_all[..], &["--env=POSTGRES_PASSWORD=once"]].concat(),
        &server,
    )?;
    ready(testbed, &first)?;
    testbed.docker(&["rm", "--force", &first])?;
    let again = testbed.guest("db", &image, &[&of_all[..], &["--env=PGHOST=db"]].concat(), &server)?;
    ready(testbed, &again)?;
    let rows = "create table kept as select generate_series(1, 321) as n";
    testbed
        .docker(&["exec", "--env=PGHOST=", &again, "psql", "-U", "postgres", "-c", rows])
        .map(drop)
}

fn ready(testbed: &Testbed, container: &str) -> Result<()> {
    // The entrypoint's own server, while it sets up, does not listen to the network.
    let ask = [
        "exec",
        container,
        "pg_isready",
        "-q",
        "-h",
        "127.0.0.1",
        "-U",
        "postgres",
    ];
    until("the server answers", || Ok(testbed.docker(&ask).is_ok()))
}

fn client(testbed: &Testbed, service: &str, options: &[&str], script: &str) -> Result<String> {
    let options = [&["--restart=unless-stopped"], options].concat();
    testbed.guest(service, "IDLE", &options, &["sh", "-c", script])
}

const IDLES: &str = "trap 'exit 0' TERM; while :; do sleep 1 & wait $!; done";

fn services(manifest: &Value, role: &str) -> Vec<String> {
    let all = manifest["workloads"].as_array().into_iter().flatten();
    let of_role = all.filter(|record| record["role"] == role);
    of_role
        .filter_map(|record| Some(record["address"]["service"].as_str()?.to_owned()))
        .collect()
}

#[test]
fn a_platform_as_a_user_has_it_is_seen_whole() -> Result<()> {
    on_mini("outthere", |testbed, product| {
        own_postgres(testbed)?;
        let valkey = tagged(testbed, "VALKEY", "acme-valkey")?;
        let network = format!("--network={}_backend", testbed.project());
        let valkey_options = [&network, "--restart=unless-stopped", "--entrypoint=sh"];
        testbed.guest(
            "cache",
            &valkey,
            &valkey_options,
            &["-c", "cd /data; valkey-server --protected-mode no & wait"],
        )?;
        // A script that dumps, of the server's image and with its variables.
        let dumper = [
            "--env=POSTGRES_PASSWORD=x",
            "--restart=unless-stopped",
            "--entrypoint=sh",
        ];
        testbed.guest("dumper", "POSTGRES", &dumper, &["-c", IDLES])?;
        let volume = format!("--volume={}_webui:/app/data", testbed.project());
        let folder = tempfile::tempdir()?;
        let uploads = folder.path().join("uploads");
        std::fs::create_dir(&uploads)?;
        let bind = format!("--volume={}:/app/uploads", uploads.display());
        client(
            testbed,
            "webui",
            &[&volume, &bind, "--env=PGHOST=db", "--env=POSTGRES_PASSWORD=x"],
            IDLES,
        )?;
        let script = IDLES.replace('\'', "\"");
        let server = format!("printf '#!/bin/sh\\n{script}' > /bin/mysqld; chmod +x /bin/mysqld; exec mysqld");
        client(testbed, "orders", &[], &server)?;

        seen(testbed, product)?;
        a_folder_that_is_gone(product, &uploads)?;
        a_job(testbed, product)?;
        work_in_progress(testbed, product)?;
        a_lodger(testbed, product)?;
        for tag in ["acme-db", "acme-valkey"] {
            testbed
                .docker(&["rmi", "--no-prune", &format!("{}-{tag}:1", testbed.project())])
                .unwrap_or_default();
        }
        Ok(())
    })
}

fn seen(testbed: &Testbed, product: &Product) -> Result<()> {
    let ran = product.run(&["backup"])?.must_end_with(0)?;
    let ran = ran
        .must_print("NOT in the backup:")?
        .must_print("database MySQL (orders): size unknown")?
        .must_print(&format!("volume {}_webui (webui at /app/data): ", testbed.project()))?
        .must_print("/uploads (webui at /app/uploads): size unknown")?
        .must_say("orders looks like a database (MySQL)")?;
    drop(ran);
    let backups = product.backups()?;
    let newest = backups.last().context("no backup")?;
    let manifest = std::fs::read(product.repository.join(newest).join("manifest.json"))?;
    let manifest: Value = serde_json::from_slice(&manifest)?;
    assert_eq!(services(&manifest, "store"), ["cache", "db", "postgres-main"]);
    let rows = &manifest["stores"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|store| store["name"] == "db");
    let rows = rows.context("no store db")?["inventory"]["postgres: rows of public.kept"]["count"].clone();
    assert_eq!(rows, 321, "{manifest}");
    Ok(())
}

fn a_folder_that_is_gone(product: &Product, folder: &std::path::Path) -> Result<()> {
    std::fs::remove_dir(folder)?;
    let gone = format!("webui uses {} of the host, which is gone", folder.display());
    product
        .run(&["containers", "plan"])?
        .must_end_with(0)?
        .must_print(&gone)?;
    product.run(&["backup"])?.must_end_with(12)?.must_say(&gone)?;
    Ok(std::fs::create_dir(folder)?)
}

/// It is waited for, and not begun a second time.
fn a_job(testbed: &Testbed, product: &Product) -> Result<()> {
    testbed.guest("job", "IDLE", &[], &["sh", "-c", "sleep 6"])?;
    let begun = testbed.state("job")?;
    product
        .run(&["containers", "plan"])?
        .must_print("a job that runs once")?;
    let patient = product.clone().with("BACKUP_JOBS_SECONDS", "60");
    patient
        .run(&["backup"])?
        .must_end_with(0)?
        .must_say("waiting up to 10 s for the end of what runs once: job")?;
    let ended = testbed.state("job")?;
    if ended.status != Status::Exited || ended.started_at != begun.started_at {
        bail!("the job was begun again: {ended:?}");
    }
    Ok(())
}

/// Its end is waited for before anything is stopped; where it does not come, what is cut is named, or nothing is done.
fn work_in_progress(testbed: &Testbed, product: &Product) -> Result<()> {
    let db = testbed.container("db")?;
    let tables = "create table event_logs (id int); create table runs (id int, run_id text, pipeline_name text, status text); \
        insert into runs values (1, '0a1b2c3d4e5f', 'nightly', 'STARTED'), (2, '1a1b2c3d4e5f', 'nightly', 'QUEUED'), \
        (3, '2a1b2c3d4e5f', 'nightly', 'SUCCESS')";
    for (database, sql) in [("postgres", "create database dagster"), ("dagster", tables)] {
        let psql = ["psql", "-U", "postgres", "-d", database, "-c", sql];
        testbed.docker(&[&["exec", "--env=PGHOST=", db.as_str()][..], &psql].concat())?;
    }
    let idle = "--label=stillpoint.idle=test ! -e /at-work";
    let worker = client(testbed, "worker", &[idle], IDLES)?;
    testbed.docker(&["exec", &worker, "touch", "/at-work"])?;
    let (run, work) = (
        "db: 1 run of Dagster (database dagster): nightly 0a1b2c3d",
        "worker: it says that it is at work",
    );

    let impatient = product.clone().with("BACKUP_BUSY_SECONDS", "1");
    let begun = testbed.state("webui")?;
    let skipped = impatient.clone().with("BACKUP_WHEN_BUSY", "skip").run(&["backup"])?;
    skipped.must_end_with(12)?.must_say(run)?.must_say(work)?;
    if testbed.state("webui")?.started_at != begun.started_at {
        bail!("a backup that was skipped has stopped a client");
    }
    let mut went_on = impatient.run(&["backup"])?.must_end_with(0)?;
    for cut in [run, "(stillpoint.idle, exit 1)"] {
        went_on = went_on.must_say(&format!("{cut}: still at work after 1 s, and CUT by this backup"))?;
    }

    let done = "update runs set status = 'SUCCESS'";
    let later = format!("sleep 4; psql -U postgres -d dagster -c \"{done}\"");
    testbed.docker(&["exec", "--detach", "--env=PGHOST=", &db, "sh", "-c", &later])?;
    testbed.docker(&["exec", "--detach", &worker, "sh", "-c", "sleep 4; rm /at-work"])?;
    let patient = product.clone().with("BACKUP_BUSY_SECONDS", "120");
    let waited = patient.run(&["backup"])?.must_end_with(0)?;
    let waited = waited.must_say("waiting up to 120 s for the end of ")?;
    if waited.err.contains("CUT") {
        bail!("work was cut that was waited for: {}", waited.err);
    }
    Ok(())
}

/// Somebody's container outside the platform in the network of one that is stopped.
fn a_lodger(testbed: &Testbed, product: &Product) -> Result<()> {
    let network = format!("--network=container:{}", testbed.container("webui")?);
    let name = format!("{}-lodger", testbed.project());
    let idle = images()?.get("IMG_IDLE").context("no such image")?.clone();
    testbed.docker(&["run", "--detach", "--name", &name, &network, &idle, "term"])?;
    let told = (|| {
        let planned = format!("container {name} of image {idle} is outside the platform and uses the network of webui");
        product.run(&["containers", "plan"])?.must_print(&planned)?;
        let mend = format!("docker restart {name}");
        product.run(&["backup"])?.must_end_with(3)?.must_print(&mend)
    })();
    testbed.docker(&["rm", "--force", &name])?;
    told.map(drop)
}
