//! What is a login, and what is none.

use proptest::prelude::*;

use super::*;

fn environment(entries: &[&str]) -> Environment {
    Environment::parse(entries.iter().map(|entry| (*entry).to_owned()))
}

/// Each login as `variable host user password database port`; a dash for what is not there.
fn found(entries: &[&str]) -> Vec<String> {
    let dash = |text: Option<&str>| text.unwrap_or("-").to_owned();
    let line = |found: &Found| {
        let login = &found.login;
        let port = login.port.map(|port| port.to_string());
        let parts = [
            login.user.as_deref(),
            login.password(),
            login.database.as_deref(),
            port.as_deref(),
        ];
        format!("{} {} {}", found.variable, found.host, parts.map(dash).join(" "))
    };
    find(&environment(entries)).iter().map(line).collect()
}

#[test]
fn a_url_is_taken_apart() {
    for (value, parts) in [
        (
            "postgresql://me:pw@db:5432/orders?sslmode=disable",
            "db me pw orders 5432",
        ),
        ("postgresql+asyncpg://me:p%40%2Fw@db/or%20ders", "db me p@/w or ders -"),
        ("postgres://me:p@w@db", "db me p@w - -"),
        ("redis://:pw@valkey/3", "valkey - pw 3 -"),
        ("nats://token@nats:4222", "nats token - - 4222"),
        (
            "jdbc:postgresql://db:5432/orders?user=me&password=p%26w",
            "db me p&w orders 5432",
        ),
        ("see <postgres://me:pw@db/orders> for more", "db me pw orders -"),
        ("{\"url\": \"postgres://me:pw@db/orders\"}", "db me pw orders -"),
    ] {
        assert_eq!(found(&[&format!("X={value}")]), [format!("X {parts}")], "{value}");
    }
}

#[test]
fn several_urls_and_hosts_are_several_logins() {
    assert_eq!(
        found(&["X=nats://a:1@one:4222,nats://b:2@two:4222, tls://c:3@three"]),
        ["X one a 1 - 4222", "X two b 2 - 4222", "X three c 3 - -"]
    );
    assert_eq!(
        found(&["X=postgres://a:1@one:1,two:2/db"]),
        ["X one a 1 db 1", "X two a 1 db 2"]
    );
}

#[test]
fn variables_that_begin_alike_are_one_login() {
    assert_eq!(
        found(&[
            "PGHOST=db",
            "PGUSER=me",
            "PGPASSWORD=pw",
            "PGDATABASE=orders",
            "PGPORT=5433"
        ]),
        ["PGPASSWORD db me pw orders 5433"]
    );
    assert_eq!(
        found(&["DB_HOST=db:5433", "DB_USERNAME=me", "DB_PASS=pw", "DB_NAME=orders"]),
        ["DB_PASS db me pw orders 5433"]
    );
    assert_eq!(
        found(&["REDIS_HOST=valkey", "REDIS_PASSWORD=pw"]),
        ["REDIS_PASSWORD valkey - pw - -"]
    );
    assert_eq!(found(&["DB_HOST=db", "DB_USER=me"]), ["DB_USER db me - - -"]);
}

#[test]
fn what_is_no_login_is_not_taken_for_one() {
    for none in [
        &["X=nats://nats:4222"][..],
        &["X=http://me:pw@nats:8222/varz"],
        &["X=://me:pw@db/orders"],
        &["DB_HOST=db", "DB_PORT=5432", "DB_NAME=orders"],
        &["DB_HOST=db", "OTHER_USER=me", "OTHER_PASSWORD=pw"],
        &["DB_HOST=db", "DB_USER=", "DB_PASSWORD="],
        &["DB_HOST=db", "DB_USER=me", "DB_PASSWORD_FILE=/run/secrets/db"],
        &["HOST=db", "USER=me", "PASSWORD=pw"],
    ] {
        assert_eq!(found(none), [""; 0], "{none:?}");
    }
}

#[test]
fn no_secret_is_shown() {
    let entries = [
        "A=redis://me:hidden@valkey/3",
        "B=nats://hidden@nats",
        "C=redis://:hidden@valkey",
    ];
    let shown: Vec<String> = find(&environment(&entries))
        .iter()
        .flat_map(|found| [found.login.to_string(), format!("{found:?}")])
        .collect();
    assert!(shown.iter().all(|shown| !shown.contains("hidden")), "{shown:?}");
    assert_eq!(shown.first().map(String::as_str), Some("user `me`, database `3`"));
}

proptest! {
    #[test]
    fn whatever_stands_in_an_environment_is_read(name in "[A-Z_]{0,6}(HOST|USER|PASSWORD)?", value in "\\PC*|([a-z:/@%,?#=]|\u{e4}|://)*") {
        let host = format!("{name}HOST={value}");
        for found in find(&environment(&[&format!("{name}={value}"), &host])) {
            prop_assert!(!found.login.is_empty());
        }
    }
}
