//! In which order streams are made: origins before what copies from them, else a mirror of a stream
//! that is not there yet is refused or begins anew. Pure.

use std::collections::BTreeSet;

use super::streams::Stream;

/// Origins first, else in the given order. Streams that copy from each other in a circle come last.
pub(super) fn origins_first(streams: Vec<Stream>) -> Vec<Stream> {
    let mut waiting = streams;
    let mut ordered: Vec<Stream> = Vec::new();
    while !waiting.is_empty() {
        let missing: BTreeSet<String> = waiting.iter().map(|stream| stream.name().to_owned()).collect();
        let (ready, rest): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|stream| is_ready(stream, &missing));
        if ready.is_empty() {
            ordered.extend(rest);
            break;
        }
        ordered.extend(ready);
        waiting = rest;
    }
    ordered
}

/// Whether nothing that the stream copies from is still missing.
pub(super) fn is_ready(stream: &Stream, missing: &BTreeSet<String>) -> bool {
    let others = |origin: &&str| *origin != stream.name() && missing.contains(*origin);
    !stream.origins().iter().any(others)
}

/// Whether a message could belong to both subjects: then no server takes both streams.
pub(super) fn overlap(one: &str, other: &str) -> bool {
    let (mut one, mut other) = (one.split('.'), other.split('.'));
    loop {
        match (one.next(), other.next()) {
            (None, None) | (Some(">"), Some(_)) | (Some(_), Some(">")) => return true,
            (Some(a), Some(b)) if a == b || a == "*" || b == "*" => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn stream(name: &str, mirror: Option<&str>, sources: &[&str]) -> Stream {
        let mirror = mirror.map(|name| json!({"name": name}));
        let sources: Vec<Value> = sources.iter().map(|name| json!({"name": name})).collect();
        Stream::of(&json!({"config": {"name": name, "mirror": mirror, "sources": sources}, "state": {}}))
    }

    fn names(streams: Vec<Stream>) -> Vec<String> {
        origins_first(streams)
            .iter()
            .map(|stream| stream.name().to_owned())
            .collect()
    }

    #[test]
    fn origins_come_before_what_copies_from_them() {
        let streams = vec![
            stream("A", None, &["B", "C"]),
            stream("B", Some("C"), &[]),
            stream("C", None, &[]),
            stream("D", None, &["ELSEWHERE", "D"]),
        ];
        assert_eq!(names(streams), ["C", "D", "B", "A"]);
    }

    #[test]
    fn a_circle_is_no_reason_to_leave_anything_out() {
        let streams = vec![
            stream("A", None, &["B"]),
            stream("B", None, &["A"]),
            stream("C", None, &[]),
        ];
        assert_eq!(names(streams), ["C", "A", "B"]);
    }

    #[test]
    fn an_origin_elsewhere_is_none_of_ours() {
        let external = json!({"config": {"name": "A", "mirror": {"name": "B", "external": {"api": "x"}}}, "state": {}});
        let streams = vec![Stream::of(&external), stream("B", None, &[])];
        assert_eq!(names(streams), ["A", "B"]);
    }

    #[test]
    fn subjects_overlap_where_a_message_could_have_both() {
        for (one, other) in [
            ("a.b", "a.b"),
            ("a.*", "a.b"),
            (">", "a"),
            ("a.>", "a.b.c"),
            ("*.b", "a.*"),
        ] {
            assert!(overlap(one, other) && overlap(other, one), "{one} {other}");
        }
        for (one, other) in [("a", "b"), ("a.>", "a"), ("a.*", "a.b.c"), ("a.b", "a"), ("*", "a.b")] {
            assert!(!overlap(one, other) && !overlap(other, one), "{one} {other}");
        }
    }
}
