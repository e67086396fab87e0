//! What the operator's file says that containers are and are called, on a platform whose Compose file nobody may
//! change.

use std::fs;

use anyhow::{Context, Result};
use stillpoint_testkit::product::Product;
use stillpoint_testkit::testbed::{Testbed, images};

use crate::common::{is_back, on_mini, standing, until};

/// The product with this text as its file.
fn told(product: &Product, text: &str) -> Result<Product> {
    let file = product.state.with_file_name("stillpoint.toml");
    fs::write(&file, text)?;
    Ok(product.clone().with("STILLPOINT_CONFIG", file))
}

#[test]
fn backups_adoptions_and_restores_follow_the_name_in_the_file() -> Result<()> {
    on_mini("called", |testbed, product| {
        let product = told(product, "[stores.postgres-main]\nname = 'main'\n")?;
        testbed.tick()?;
        let truth = testbed.truth()?;
        let backup = product.backup()?;
        let folder = product.repository.join(&backup);
        assert!(folder.join("main/globals.sql.gz").is_file());
        assert!(!folder.join("postgres-main").exists());

        // As if others had made it: they knew no manifest.
        for object in ["run.json", "manifest.json"] {
            fs::remove_file(folder.join(object))?;
        }
        let other = told(&product, "[stores.postgres-main]\nname = 'other'\n")?;
        other.run(&["adopt", &backup])?.must_say("belongs to no store")?;
        let product = told(&product, "[stores.postgres-main]\nname = 'main'\n")?;
        product.run(&["adopt", &backup])?.must_end_with(0)?;

        testbed.wreck()?;
        product.restore(&backup)?;
        assert_eq!(truth.differences(&testbed.truth()?), Vec::<String>::new());
        Ok(())
    })
}

/// A server beside the platform's own, whose variables are those of a tool: it is told where a server is.
fn disguised(testbed: &Testbed) -> Result<String> {
    let project = format!("--label=com.docker.compose.project={}", testbed.project());
    let images = images()?;
    let image = images.get("IMG_POSTGRES").context("there is no image of PostgreSQL")?;
    let run = [
        "run",
        "--detach",
        &project,
        "--label=com.docker.compose.service=extra",
        "--label=com.docker.compose.container-number=1",
        "--env=POSTGRES_PASSWORD=x",
        "--env=POSTGRES_HOST=127.0.0.1",
        image,
    ];
    let extra = testbed.docker(&run)?.trim().to_owned();
    until("the second server is up", || {
        Ok(testbed
            .docker(&["exec", &extra, "pg_isready", "-h", "127.0.0.1"])
            .is_ok())
    })?;
    Ok(extra)
}

#[test]
fn a_container_is_what_the_file_says_that_it_is() -> Result<()> {
    on_mini("kinds", |testbed, product| {
        disguised(testbed)?;
        let before = standing(testbed)?;
        let backup = product.backup()?;
        assert!(product.repository.join(&backup).join("extra/globals.sql.gz").is_file());

        let second = told(product, "[stores.extra]\nkind = 'postgres'\nname = 'second'\n")?;
        let backup = second.backup()?;
        let folder = product.repository.join(&backup);
        assert!(folder.join("second/globals.sql.gz").is_file());
        assert!(folder.join("postgres-main/globals.sql.gz").is_file());
        is_back(testbed, &before)?;

        let none = told(
            product,
            "[stores.postgres-main]\nkind = 'none'\n\n[stores.extra]\nkind = 'none'\n",
        )?;
        none.run(&["backup"])?.must_end_with(10)?.must_say("no platform")?;

        let mistyped = told(product, "[stores.postgres-mian]\nname = 'main'\n")?;
        let warned = "stores.postgres-mian.name speaks of no container of platform";
        let ran = mistyped.run(&["containers", "plan"])?.must_end_with(0)?;
        ran.must_say(warned)?
            .must_say("extra, postgres-main, webapp, witness")?;

        let useless = told(product, "[stores.postgres-main]\nuser = 'postgres'\ntoken = 'x'\n")?;
        let ran = useless.run(&["backup"])?.must_end_with(2)?;
        ran.must_say("stillpoint.toml:3: stores.postgres-main.token")?
            .must_say("a store of kind postgres, which has no setting `token`")?
            .must_say("the settings of postgres are kind, name, mode, port, user, password")?;
        is_back(testbed, &before)
    })
}
