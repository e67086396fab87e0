//! Addresses: how lists are parted, what is refused, and that no refusal and no name shows a secret.

use super::SECRET;
use crate::{channels, heartbeats, parted};

fn names(text: &str) -> Vec<String> {
    let read = channels(text).unwrap();
    read.all.iter().map(|channel| channel.name().to_owned()).collect()
}

#[test]
fn a_list_is_parted_by_white_space_and_by_commas_before_an_address() {
    let text = "ntfy://a/t,gotify://b/T  smtp://h/?from=a@x&to=b@x,c@x,discord://t@1\nntfy://c/t,";
    let parts = [
        "ntfy://a/t",
        "gotify://b/T",
        "smtp://h/?from=a@x&to=b@x,c@x",
        "discord://t@1",
        "ntfy://c/t",
    ];
    assert_eq!(parted(text), parts);
    assert!(parted(" \n, ").is_empty());
    let beats = "backup_job=https://hc/1,verify_job=https://hc/2";
    assert_eq!(parted(beats), ["backup_job=https://hc/1", "verify_job=https://hc/2"]);
}

#[test]
fn every_kind_is_understood_and_named_by_kind_and_host() {
    let text = "webhook+https://hooks.example.org/in generic+https://hooks.example.org/other smtp://u:p@mail.example.org/?from=a@x.org&to=b@x.org \
                slack://hook:A-B-C@webhook slack://xoxb:1-2-c@C123 discord://tok@99 teams+https://x.logic.azure.com/workflows/1?sig=s \
                teams://g@t/i/o?host=acme.webhook.office.com ntfy://ntfy.sh/topic gotify://gotify.example.org/T \
                telegram://12:AB@telegram?chats=1,@two apprise://apprise:8000/key";
    let expected = [
        "webhook:hooks.example.org",
        "webhook:hooks.example.org-2",
        "email:mail.example.org",
        "slack:hooks.slack.com",
        "slack:slack.com",
        "discord:discord.com",
        "teams:x.logic.azure.com",
        "teams:acme.webhook.office.com",
        "ntfy:ntfy.sh",
        "gotify:gotify.example.org",
        "telegram:api.telegram.org",
        "telegram:api.telegram.org-2",
        "apprise:apprise",
    ];
    assert_eq!(names(text), expected);
}

#[test]
fn what_cannot_be_taken_is_refused_with_its_place_and_kind_and_without_its_secret() {
    let cases = [
        (format!("ntfy://a/t pushover://{SECRET}@x"), "address 2 (pushover://…)"),
        (
            format!("https://discord.com/api/webhooks/1/{SECRET}"),
            "webhook+https://",
        ),
        (SECRET.to_owned(), "address 1: it is no address"),
        (format!("slack://hook:A-{SECRET}@webhook"), "three tokens"),
        (format!("telegram://1:{SECRET}@telegram"), "names no chat"),
        (format!("telegram://{SECRET}@telegram?chats=1"), "token of a bot"),
        (format!("ntfy://:{SECRET}@ntfy.sh"), "one topic"),
        (format!("discord://{SECRET}"), "discord://TOKEN@ID"),
        (format!("teams://{SECRET}@t"), "whole address of a workflow"),
        (format!("gotify://u:{SECRET}@host"), "token of an application"),
        (format!("apprise://u:{SECRET}@host"), "key of its configuration"),
        (format!("smtp://u:{SECRET}@host"), "not from whom"),
        (format!("smtp://u:{SECRET}@host/?from=a@x.org"), "not to whom"),
        (
            format!("smtp://u:{SECRET}@mail.example.org/?from=a@x.org&to=b@x.org&encryption=None"),
            "in the open",
        ),
        (
            format!("smtp://u:{SECRET}@h/?from=a@x.org&to=b@x.org&encryption=some"),
            "none of `Auto`",
        ),
        (format!("webhook+ftp://h/{SECRET}"), "neither `+https` nor"),
    ];
    for (text, expected) in cases {
        let refusal = channels(&text).unwrap_err().to_string();
        assert!(refusal.contains(expected), "{refusal}");
        assert!(!refusal.contains(SECRET), "{refusal}");
    }
}

#[test]
fn what_has_no_effect_is_told() {
    let read = channels("ntfy://ntfy.sh/topic?prio=5 gotify://h/T?disableTLS=yes").unwrap();
    assert_eq!(read.warnings, ["address 1 (ntfy://…): `prio` has no effect here"]);
}

#[test]
fn nothing_of_an_address_is_seen_but_kind_and_host() {
    let text = format!(
        "ntfy://:{SECRET}@ntfy.sh/{SECRET} discord://{SECRET}@1 smtp://u:{SECRET}@localhost/?from=a@x.org&to=b@x.org"
    );
    let seen = format!("{:?}", channels(&text).unwrap());
    assert!(seen.contains("ntfy:ntfy.sh") && !seen.contains(SECRET), "{seen}");
    let text = format!("backup_job=https://hc-ping.com/{SECRET}");
    let seen = format!("{:?}", heartbeats(&text, &["backup_job"]).unwrap());
    assert!(
        seen.contains("heartbeat:backup_job:hc-ping.com") && !seen.contains(SECRET),
        "{seen}"
    );
}

#[test]
fn a_heartbeat_needs_a_job_that_there_is() {
    let known = ["backup_job", "verify_job"];
    for (text, expected) in [
        (format!("https://hc/{SECRET}"), "names no job"),
        (format!("backups=https://hc/{SECRET}"), "backup_job, verify_job"),
        (format!("backup_job=ftp://hc/{SECRET}"), "neither with `https://`"),
        (format!("backup_job={SECRET}"), "it is no address"),
    ] {
        let refusal = heartbeats(&text, &known).unwrap_err().to_string();
        assert!(refusal.contains(expected), "{refusal}");
        assert!(!refusal.contains(SECRET), "{refusal}");
    }
    let read = heartbeats("backup=https://hc/1 backup_job=https://hc/2", &known).unwrap();
    let names: Vec<&str> = read.all.iter().map(crate::Heartbeat::name).collect();
    assert_eq!(names, ["heartbeat:backup_job:hc", "heartbeat:backup_job:hc-2"]);
}
