//! What counts as restored, and what is said when it is not.

use serde_json::Value;

use super::super::access::Proof;
use super::super::archive::Messages;
use super::*;

fn stream(config: &Value, messages: u64, first: u64, last: u64) -> Stream {
    Stream::of(&json!({
        "config": config,
        "state": {"messages": messages, "first_seq": first, "last_seq": last},
    }))
}

fn counted(count: u64, first: u64, last: u64) -> Counted {
    Counted {
        format: Format::Entries,
        consumers: BTreeSet::new(),
        copied: BTreeMap::new(),
        messages: Some(Messages {
            count,
            first,
            last,
            largest: 0,
            given: last,
        }),
    }
}

#[test]
fn a_stream_must_arrive_as_it_was() {
    let config = json!({"name": "S"});
    let arrives = |made: (u64, u64, u64)| {
        let made = stream(&config, made.0, made.1, made.2);
        arrived(&stream(&config, 0, 0, 0), &counted(5, 2, 9), &made).is_ok()
    };
    assert!(arrives((5, 2, 9)));
    for made in [(4, 2, 9), (6, 2, 9), (5, 2, 8), (5, 3, 9)] {
        assert!(!arrives(made), "{made:?}");
    }
}

#[test]
fn what_goes_by_age_may_have_gone() {
    let config = json!({"name": "S", "max_age": 1});
    let arrives = |count| {
        arrived(
            &stream(&config, 0, 0, 0),
            &counted(5, 2, 9),
            &stream(&config, count, 9, 9),
        )
    };
    assert!(arrives(0).is_ok() && arrives(5).is_ok());
    assert!(arrives(6).is_err());
}

#[test]
fn a_copy_goes_on_where_it_was() {
    let mut copy = stream(
        &json!({"name": "S", "sources": [
            {"name": "ORDERS", "opt_start_time": "x"},
            {"name": "JOBS", "filter_subject": "jobs.*"},
            {"name": "NEW"},
            {"name": "TURNED", "subject_transforms": [{"src": "a", "dest": "b"}, {"src": "c", "dest": ""}]},
        ]}),
        0,
        0,
        0,
    );
    let copied = [
        ("ORDERS >", 401),
        ("JOBS jobs.*", 7),
        ("JOBS >", 9),
        ("TURNED a\u{c}c", 3),
    ];
    let copied = copied.map(|(origin, sequence)| (origin.to_owned(), sequence)).into();
    assert_eq!(go_on(&mut copy, &copied), ["ORDERS at 402", "JOBS at 8", "TURNED at 4"]);
    let sources = &copy.config["sources"];
    assert_eq!(sources[0], json!({"name": "ORDERS", "opt_start_seq": 402}));
    assert_eq!(sources[1]["opt_start_seq"], 8);
    assert_eq!(sources[2], json!({"name": "NEW"}));
}

#[test]
fn what_is_gone_is_named() {
    let login = Login {
        account: Some("APP".into()),
        proof: Proof::None,
        prefix: String::new(),
    };
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
    let progress = Progress {
        missing: names(&["B", "C"]),
        gone: names(&["B"]),
        made: vec!["A".into()],
    };
    let told = progress.tell(&login, StoreError::Damaged("broken".into())).to_string();
    assert_eq!(
        told,
        "broken: streams gone and not restored: APP/B; restored: APP/A; as before: APP/C"
    );
    let told = Progress::default().tell(&login, StoreError::Damaged("broken".into()));
    assert!(matches!(told, StoreError::Damaged(_)));
}

#[test]
fn a_stream_that_stays_gives_up_what_the_backup_needs() {
    let backup = Found {
        stream: stream(&json!({"name": "S", "subjects": ["orders.>"]}), 0, 0, 0),
        counted: counted(0, 0, 0),
    };
    let found: BTreeMap<String, Found> = [("S".to_owned(), backup)].into();
    let kept = |subjects: Value| {
        let rival = Rival::of(stream(&json!({"name": "R", "subjects": subjects}), 0, 0, 0), &found);
        rival.map(|rival| rival.kept)
    };
    assert_eq!(kept(json!(["a", "orders"])), None);
    assert_eq!(kept(json!(["a", "orders.new"])), Some(vec!["a".to_owned()]));
    assert_eq!(kept(json!(["*.new"])), Some(vec!["stillpoint.aside.R".to_owned()]));
}

#[test]
fn a_stream_is_in_the_way_of_another_with_its_subjects() {
    let with = |subjects: Value| stream(&json!({"name": "S", "subjects": subjects}), 0, 0, 0);
    assert!(in_the_way(&with(json!(["a.>"])), &with(json!(["b", "a.x"]))));
    assert!(!in_the_way(&with(json!(["a.>"])), &with(json!(["b"]))));
    assert!(!in_the_way(&with(json!([])), &with(json!(["b"]))));
}
