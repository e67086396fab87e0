//! What an operator sees of the configuration: values that labels of containers set are shown with their
//! origin and really hold, and a repository that cannot be meant so ends the program with 2.

use anyhow::{Context, Result};
use stillpoint_testkit::product::Product;
use stillpoint_testkit::second_engine::SecondEngine;
use stillpoint_testkit::testbed::images;

use crate::common::{PROGRAM, is_back, on_mini, standing, until};

#[test]
fn labels_are_shown_with_their_containers_and_mistyped_ones_are_warned_of() -> Result<()> {
    let folder = tempfile::tempdir()?;
    SecondEngine::start()?.examined(|engine| {
        let server = ["PGDATA=/data", "POSTGRES_PASSWORD=x"];
        let labels = [
            "stillpoint.kind=postgres",
            "stillpoint.user=backup",
            "stillpoint.password_file=/run/secrets/db",
            "stillpoint.usr=x",
        ];
        engine.labelled_container("shop", "db", &server, &labels)?;
        let product = Product::new(PROGRAM, folder.path()).with("DOCKER_HOST", engine.address());
        let ran = product.run(&["config", "show", "--origin"])?.must_end_with(0)?;
        let line = |start: &str| {
            let mut lines = ran.out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
            lines
                .find(|words| words.first() == Some(&start))
                .map(|words| words[1..].join(" "))
        };
        let user = "backup label stillpoint.user of container shop-db-1";
        assert_eq!(line("STILLPOINT_DB_USER").as_deref(), Some(user));
        let password = "(set) label stillpoint.password_file of container shop-db-1";
        assert_eq!(line("STILLPOINT_DB_PASSWORD").as_deref(), Some(password));
        let warning = "warning: label stillpoint.usr of container shop-db-1 is unknown and does nothing; did you mean \
                       `stillpoint.user`?";
        ran.must_say(warning)?;
        product
            .run(&["containers", "plan"])?
            .must_end_with(0)?
            .must_say(warning)?;
        // It goes on to its own reason to refuse.
        let ran = product.run(&["backup"])?.must_end_with(12)?.must_say(warning)?;
        ran.must_say("store db is created").map(drop)
    })
}

#[test]
fn without_an_engine_the_rest_of_the_configuration_is_shown() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let product = Product::new(PROGRAM, folder.path()).with("DOCKER_HOST", "unix:///nowhere/docker.sock");
    let ran = product.run(&["config", "show", "--origin"])?.must_end_with(0)?;
    let ran = ran.must_say(
        "warning: what labels of containers set is not shown: no container engine answers at \
         unix:///nowhere/docker.sock",
    )?;
    for shown in ["retention.days", "environment DOCKER_HOST"] {
        assert!(ran.out.contains(shown), "{}", ran.out);
    }
    Ok(())
}

#[test]
fn a_bucket_without_its_key_ends_every_command_with_2() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("stillpoint.toml");
    std::fs::write(&file, "[retention]\ndays = 3\n\n[repository.s3]\nbucket = 'backups'\n")?;
    let product = Product::new(PROGRAM, folder.path())
        .with("STILLPOINT_REPOSITORY", "")
        .with("STILLPOINT_CONFIG", &file)
        .with("DOCKER_HOST", "unix:///nowhere/docker.sock");
    for arguments in [&["config", "check"][..], &["backup"], &["backups", "ls"]] {
        product
            .run(arguments)?
            .must_end_with(2)?
            .must_say(&format!("{}:4: [repository.s3]", file.display()))?
            .must_say("`access_key_id` (BACKUP_S3_ACCESS_KEY_ID)")?
            .must_say("help: set what is missing")?;
    }
    Ok(())
}

/// A second server beside the first, whose own password is not the one with which it was started.
#[test]
fn a_store_is_entered_as_its_labels_say() -> Result<()> {
    on_mini("labels", |testbed, product| {
        let project = testbed.project();
        let own = [
            format!("com.docker.compose.project={project}"),
            "com.docker.compose.service=extra".to_owned(),
            "com.docker.compose.container-number=1".to_owned(),
        ];
        let images = images()?;
        let image = images.get("IMG_POSTGRES").context("there is no image of PostgreSQL")?;
        let set = ["stillpoint.user=keeper", "stillpoint.password_file=/run/keeper"];
        let labels = own.iter().map(String::as_str).chain(set);
        let labels: Vec<String> = labels.map(|label| format!("--label={label}")).collect();
        let mut run = vec!["run", "--detach", "--env=POSTGRES_PASSWORD=x"];
        run.extend(labels.iter().map(String::as_str));
        run.push(image);
        let extra = testbed.docker(&run)?.trim().to_owned();
        let inside = |arguments: &[&str]| testbed.docker(&[&["exec", &extra][..], arguments].concat());
        until("the second server is up", || {
            Ok(inside(&["pg_isready", "-h", "127.0.0.1"]).is_ok())
        })?;

        let before = standing(testbed)?;
        let ran = product.run(&["backup"])?.must_end_with(12)?;
        ran.must_say("/run/keeper")?;
        is_back(testbed, &before)?;
        let secret = "printf 'correct horse\\n' > /run/keeper";
        inside(&["sh", "-c", secret])?;
        let ran = product.run(&["backup"])?.must_end_with(12)?;
        ran.must_say("extra refused user `keeper`")?;
        let role = "create role keeper superuser login password 'correct horse'";
        inside(&["psql", "-U", "postgres", "-c", role])?;
        product.backup().map(drop)
    })
}
