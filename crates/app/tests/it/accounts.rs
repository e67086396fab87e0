//! Users and tokens as whoever is locked out makes them: by commands, beside a service that heeds them at once.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use stillpoint_testkit::product::{Product, Running};

use crate::common::{PROGRAM, until};

const PASSWORD: &str = "a long way to the sea";

/// A service with a port. Of its platform nothing is needed for this.
fn served(folder: &Path) -> Result<(Product, Running, String)> {
    let product = Product::new(PROGRAM, folder)
        .with("STILLPOINT_PLATFORM", "nobody-is-there")
        .with("STILLPOINT_LISTEN", "127.0.0.1:0");
    let log = folder.join("log");
    let service = product.start_saying_into(&["serve"], &log)?;
    let mut site = None;
    until("the log names the port", || {
        let said = std::fs::read_to_string(&log)?;
        let word = said.split_whitespace().find(|word| word.contains("/setup/"));
        site = word.and_then(|word| Some(word.split_once("/setup/")?.0.to_owned()));
        Ok(site.is_some())
    })?;
    Ok((product, service, site.context("no port")?))
}

/// A password comes by standard input.
fn typing(product: &Product, password: &str) -> Product {
    let before = ["sh", "-c", &format!("printf '%s\\n' '{password}' | \"$0\" \"$@\"")];
    product.clone().run_by(before.map(str::to_owned).into())
}

/// The status of the answer, and the answer.
fn asked(site: &str, path: &str, options: &[&str]) -> Result<(String, String)> {
    let address = format!("{site}{path}");
    let fixed = [
        "--silent",
        "--max-time",
        "30",
        "--write-out",
        "\n%{http_code}",
        address.as_str(),
    ];
    let output = Command::new("curl").args(fixed).args(options).output()?;
    let said = String::from_utf8(output.stdout)?;
    let (answer, status) = said.rsplit_once('\n').context("curl says nothing")?;
    Ok((status.to_owned(), answer.to_owned()))
}

fn signs_in(site: &str, name: &str, password: &str) -> Result<bool> {
    let form = format!("name={name}&password={}", password.replace(' ', "+"));
    let origin = format!("Origin: {site}");
    let (status, answer) = asked(site, "/sign-in", &["--header", &origin, "--data", &form])?;
    match status.as_str() {
        "303" => Ok(true),
        "401" | "403" => Ok(false),
        _ => anyhow::bail!("{status}: {answer}"),
    }
}

fn end(service: Running) -> Result<()> {
    service.signal("TERM")?;
    service.end()?.must_end_with(0).map(drop)
}

#[test]
fn who_is_locked_out_makes_a_user_by_a_command_and_signs_in() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (product, service, site) = served(folder.path())?;
    product
        .run(&["users", "ls"])?
        .must_end_with(0)?
        .must_print("There are no users")?;
    ensure!(!signs_in(&site, "anna", PASSWORD)?, "nobody is there yet");
    let too_short = typing(&product, "short").run(&["users", "add", "anna"])?;
    too_short.must_end_with(2)?.must_say("password")?;
    let add = ["users", "add", "anna", "--role", "admin"];
    typing(&product, PASSWORD)
        .run(&add)?
        .must_end_with(0)?
        .must_print("anna may sign in as admin")?;
    typing(&product, PASSWORD)
        .run(&add)?
        .must_end_with(2)?
        .must_say("anna")?;
    ensure!(signs_in(&site, "anna", PASSWORD)?, "the service does not know her");

    let other = "another way to the sea";
    typing(&product, other)
        .run(&["users", "passwd", "anna"])?
        .must_end_with(0)?;
    ensure!(!signs_in(&site, "anna", PASSWORD)?, "the old password counts still");
    ensure!(signs_in(&site, "anna", other)?, "the new one does not");
    typing(&product, other)
        .run(&["users", "passwd", "bert"])?
        .must_end_with(2)?
        .must_say("there is no user bert")?;

    // Without her nobody could do anything on the pages.
    product
        .run(&["users", "rm", "anna"])?
        .must_end_with(2)?
        .must_say("anna")?;
    typing(&product, PASSWORD)
        .run(&["users", "add", "bert", "--role", "admin"])?
        .must_end_with(0)?;
    product.run(&["users", "rm", "anna"])?.must_end_with(0)?;
    ensure!(!signs_in(&site, "anna", other)?, "who was removed signs in");
    let listed = product.run(&["users", "ls"])?.must_end_with(0)?;
    ensure!(
        listed.out.contains("bert") && !listed.out.contains("anna"),
        "{}",
        listed.out
    );
    end(service)
}

#[test]
fn a_token_by_a_command_counts_until_it_is_removed() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (product, service, site) = served(folder.path())?;
    let made = product
        .run(&["tokens", "new", "ci", "--role", "operator"])?
        .must_end_with(0)?;
    let secret = made.out.trim().to_owned();
    ensure!(secret.starts_with("stillpoint_"), "{secret}");
    let header = format!("Authorization: Bearer {secret}");
    let me = || asked(&site, "/api/v1/me", &["--header", &header]);
    let (status, answer) = me()?;
    ensure!(
        status == "200" && answer.contains("token ci") && answer.contains("operator"),
        "{status}: {answer}"
    );
    let listed = product.run(&["tokens", "ls"])?.must_end_with(0)?;
    ensure!(
        listed.out.contains("ci") && !listed.out.contains(&secret),
        "{}",
        listed.out
    );
    product
        .run(&["tokens", "new", "ci"])?
        .must_end_with(2)?
        .must_say("ci")?;
    product.run(&["tokens", "rm", "ci"])?.must_end_with(0)?;
    let (status, _) = me()?;
    ensure!(status == "401", "what was removed counts still: {status}");
    product
        .run(&["tokens", "rm", "ci"])?
        .must_end_with(10)?
        .must_say("ci")?;
    end(service)
}
