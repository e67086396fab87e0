//! Which login belongs to which account, and that none of them can be seen.

use stillpoint_core::names::StoreName;
use stillpoint_core::workload::CommandLine;

use super::*;
use crate::settings::tests::{configured, container};

fn server(command: &[&str]) -> Workload {
    Workload {
        image: "nats:2.11".to_owned(),
        command: CommandLine::new(command.iter().map(ToString::to_string)),
        ..container(&[], &[])
    }
}

fn access(command: &[&str], settings: &'static [(&'static str, &'static str)]) -> Access {
    tried(command, settings).unwrap()
}

fn tried(command: &[&str], settings: &'static [(&'static str, &'static str)]) -> Result<Access, String> {
    let (store, server) = (StoreName::new("nats"), server(command));
    let setting = Setting::of(&configured(settings), Some(&store), &server);
    Access::of(&server, &setting)
}

fn told(access: &Access) -> Vec<String> {
    let secret = |secret: &SecretString| secret.expose_secret().to_owned();
    let proof = |login: &Login| match &login.proof {
        Proof::None => "nothing".to_owned(),
        Proof::Password { user, password } => format!("{user}:{}", secret(password)),
        Proof::Token(token) => format!("token {}", secret(token)),
        Proof::Seed(seed) => format!("seed {}", secret(seed)),
        Proof::Credentials(text) => format!("creds {}", secret(text)),
    };
    access
        .logins
        .iter()
        .map(|login| format!("{}={}", login.label("S"), proof(login)))
        .collect()
}

#[test]
fn one_login_without_a_name_from_settings_or_the_command_line() {
    assert_eq!(told(&access(&[], &[])), ["S=nothing"]);
    assert_eq!(
        told(&access(&["nats-server", "--user", "u", "--pass=p"], &[])),
        ["S=u:p"]
    );
    assert_eq!(told(&access(&["nats-server", "-auth", "t"], &[])), ["S=token t"]);
    let set = access(
        &["nats-server", "--user", "u", "--pass", "p"],
        &[("STILLPOINT_NATS_USER", "own"), ("STILLPOINT_NATS_PASSWORD", "q")],
    );
    assert_eq!(told(&set), ["S=own:q"]);
}

#[test]
fn a_login_for_each_named_account() {
    let access = access(
        &["nats-server", "--user", "u", "--pass", "p"],
        &[
            ("STILLPOINT_NATS_ACCOUNTS", "APP, my-other,,APP"),
            ("STILLPOINT_NATS_APP_NKEY_SEED", "s"),
            ("STILLPOINT_NATS_MY_OTHER_CREDS", "c"),
        ],
    );
    assert_eq!(told(&access), ["APP/S=seed s", "my-other/S=creds c"]);
}

#[test]
fn a_named_account_never_gets_anothers_login() {
    let access = access(
        &["nats-server", "--user", "u", "--pass", "p"],
        &[("STILLPOINT_NATS_ACCOUNTS", "APP")],
    );
    assert_eq!(told(&access), ["APP/S=nothing"]);
    let remedy = access.logins[0].remedy();
    assert!(remedy.contains("STILLPOINT_NATS_APP_USER"), "{remedy}");
}

#[test]
fn the_port_is_the_settings_the_command_lines_or_the_usual_one() {
    assert_eq!(access(&["nats-server"], &[]).port, 4222);
    assert_eq!(access(&["nats-server", "-p", "4333"], &[]).port, 4333);
    assert_eq!(access(&["nats-server", "--port=4334"], &[]).port, 4334);
    assert_eq!(
        access(&["nats-server", "-p", "4333"], &[("STILLPOINT_NATS_PORT", "5")]).port,
        5
    );
}

#[test]
fn the_certificate_may_bear_any_name_that_the_platform_knows() {
    assert_eq!(access(&[], &[]).tls.names, ["db", "acme-db-1", "localhost"]);
    assert_eq!(
        access(&[], &[("STILLPOINT_NATS_TLS_NAME", "n.example")]).tls.names,
        ["n.example"]
    );
}

#[test]
fn a_setting_without_effect_is_an_error() {
    let cases: [(&'static [(&str, &str)], &str); 6] = [
        (&[("STILLPOINT_NATS_PORT", "four")], "`four` is not a port"),
        (&[("STILLPOINT_NATS_PORT", "0")], "`0` is not a port"),
        (
            &[("STILLPOINT_NATS_PASSWORD", "p")],
            "STILLPOINT_NATS_PASSWORD has no effect without STILLPOINT_NATS_USER",
        ),
        (
            &[("STILLPOINT_NATS_TOKEN", "t"), ("STILLPOINT_NATS_USER", "u")],
            "followed by TOKEN, USER",
        ),
        (
            &[("STILLPOINT_NATS_ACCOUNTS", "APP"), ("STILLPOINT_NATS_USER", "u")],
            "STILLPOINT_NATS_USER has no effect where STILLPOINT_NATS_ACCOUNTS names accounts",
        ),
        (&[("STILLPOINT_NATS_TLS_CERT", "c")], "only together"),
    ];
    for (settings, words) in cases {
        let error = tried(&[], settings).err().unwrap();
        assert!(error.contains(words), "{error}");
    }
}
