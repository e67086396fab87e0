//! What streams ask of an account and its server, and what these allow: a restore that would be refused stream by stream, when
//! the old ones are gone already, is refused before anything stops.
//!
//! A stream with `max_bytes` reserves them, whatever it holds (nats-server, `server/jetstream.go`, `checkBytesLimits`).

use serde_json::{Value, json};
use stillpoint_core::manifest::StoreRecord;
use stillpoint_core::stores::{Cx, StoreError};

use super::NatsStore;
use super::drain::fact;
use super::link::Link;
use super::monitoring::Reserved;
use super::streams::Stream;

/// The fact that says what the streams of an account ask for.
pub(super) const DEMANDS: &str = "demands";

/// Names that a refusal lists at most.
const NAMED: usize = 5;

/// What a stream asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Demand {
    pub(super) stream: String,
    pub(super) memory: bool,
    /// What it holds.
    pub(super) bytes: u64,
    /// What it reserves; none where it has no bound.
    pub(super) reserves: Option<u64>,
}

/// What an account may have; none is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Limits {
    memory: Option<u64>,
    files: Option<u64>,
    streams: Option<u64>,
    largest_in_memory: Option<u64>,
    largest_in_files: Option<u64>,
    needs_bound: bool,
}

impl Demand {
    pub(super) fn of(stream: &Stream) -> Self {
        Self {
            stream: stream.name().to_owned(),
            memory: stream.in_memory(),
            bytes: stream.counted("bytes"),
            reserves: stream.bound(),
        }
    }

    fn needs(&self) -> u64 {
        self.reserves.unwrap_or(0).max(self.bytes)
    }
}

/// As a fact: `[["EVENTS","file",BYTES,RESERVED or null],…]`.
pub(super) fn told(demands: &[Demand]) -> String {
    let all = demands.iter().map(|demand| {
        let kind = if demand.memory { "memory" } else { "file" };
        json!([demand.stream, kind, demand.bytes, demand.reserves])
    });
    Value::Array(all.collect()).to_string()
}

/// What a record says of an account; none in one that others, or older versions, made.
pub(super) fn recorded(record: &StoreRecord, account: Option<&str>) -> Option<Vec<Demand>> {
    read(record.facts.get(&fact(DEMANDS, account))?)
}

fn read(text: &str) -> Option<Vec<Demand>> {
    let all: Vec<(String, String, u64, Option<u64>)> = serde_json::from_str(text).ok()?;
    let demand = |(stream, kind, bytes, reserves)| Demand {
        stream,
        memory: kind == "memory",
        bytes,
        reserves,
    };
    Some(all.into_iter().map(demand).collect())
}

impl Limits {
    fn of(answer: &Value) -> Self {
        let number = |name: &str| answer.pointer(&format!("/limits/{name}"))?.as_u64();
        // 0 is no limit here.
        let bound = |name: &str| number(name).filter(|limit| *limit > 0);
        Self {
            memory: number("max_memory"),
            files: number("max_storage"),
            streams: number("max_streams"),
            largest_in_memory: bound("memory_max_stream_bytes"),
            largest_in_files: bound("storage_max_stream_bytes"),
            needs_bound: answer
                .pointer("/limits/max_bytes_required")
                .and_then(Value::as_bool)
                .unwrap_or(false),
        }
    }

    /// Why an account does not take these streams beside those that stay; `whose` are the limits.
    fn objection(&self, whose: &str, demands: &[Demand], staying: &[Demand]) -> Option<String> {
        let unbound: Vec<&str> = demands
            .iter()
            .filter(|demand| demand.reserves.is_none())
            .map(|demand| demand.stream.as_str())
            .collect();
        if self.needs_bound && !unbound.is_empty() {
            return Some(format!(
                "{whose} takes only streams with a `max_bytes`, and {} of the backup have none ({}): set `max_bytes_required: \
                 false` for the restore",
                unbound.len(),
                listed(&unbound)
            ));
        }
        let count = (demands.len() + staying.len()) as u64;
        if let Some(limit) = self.streams.filter(|limit| count > *limit) {
            return Some(format!(
                "{whose} may have {limit} streams, and would have {count}: raise `max_streams`"
            ));
        }
        let kinds = [
            (
                true,
                "memory",
                self.memory,
                self.largest_in_memory,
                "max_mem",
                "mem_max_stream_bytes",
            ),
            (
                false,
                "files",
                self.files,
                self.largest_in_files,
                "max_file",
                "disk_max_stream_bytes",
            ),
        ];
        for (memory, words, limit, largest, setting, each) in kinds {
            let of_kind = |demand: &&Demand| demand.memory == memory;
            let too_large = demands
                .iter()
                .filter(of_kind)
                .find(|demand| Some(demand.needs()) > largest.or(Some(u64::MAX)));
            if let (Some(demand), Some(largest)) = (too_large, largest) {
                return Some(format!(
                    "a stream of {whose} may have {largest} bytes of {words}, and {} reserves {}: raise `{each}`",
                    demand.stream,
                    demand.needs()
                ));
            }
            let needed: u64 = demands.iter().chain(staying).filter(of_kind).map(Demand::needs).sum();
            if let Some(limit) = limit.filter(|limit| needed > *limit) {
                return Some(format!(
                    "{whose} may have {limit} bytes of {words}, and its streams would hold or reserve {needed}: raise `{setting}`"
                ));
            }
        }
        None
    }
}

fn listed(names: &[&str]) -> String {
    let more = names.len().saturating_sub(NAMED);
    let first = names[..names.len() - more].join(", ");
    if more == 0 {
        first
    } else {
        format!("{first}, and {more} more")
    }
}

impl NatsStore {
    /// Fails unless account and server take these streams in the place of those of their names.
    pub(super) async fn must_take(&self, cx: &Cx, link: &Link, demands: &[Demand]) -> Result<(), StoreError> {
        let account = link
            .ask(cx, "asking what the account may have", "INFO", &json!({}))
            .await?;
        let live: Vec<Demand> = link.streams(cx).await?.iter().map(Demand::of).collect();
        let is_replaced = |demand: &Demand| demands.iter().any(|other| other.stream == demand.stream);
        let (replaced, staying): (Vec<Demand>, Vec<Demand>) = live.into_iter().partition(is_replaced);
        let objection = Limits::of(&account).objection(&link.login.told(), demands, &staying);
        let objection = match (objection, self.overview(cx).await?) {
            (None, Some(server)) => of_server(&server.reserved, demands, &replaced),
            (objection, _) => objection,
        };
        match objection {
            Some(objection) => Err(StoreError::Unfit(format!("{}: {objection}", self.name))),
            None => Ok(()),
        }
    }
}

/// Why the server has no room for what these streams reserve, when those that they replace are gone.
fn of_server(server: &Reserved, demands: &[Demand], replaced: &[Demand]) -> Option<String> {
    let kinds = [
        (true, "memory", server.memory_limit, server.memory, "max_memory_store"),
        (false, "files", server.file_limit, server.files, "max_file_store"),
    ];
    kinds.into_iter().find_map(|(memory, words, limit, reserved, setting)| {
        let sum = |all: &[Demand]| -> u64 {
            let of_kind = all.iter().filter(|demand| demand.memory == memory);
            of_kind.filter_map(|demand| demand.reserves).sum()
        };
        let needed = reserved.saturating_sub(sum(replaced)).saturating_add(sum(demands));
        let limit = limit.filter(|limit| sum(demands) > 0 && needed > *limit)?;
        Some(format!(
            "the server may have {limit} bytes of {words} for JetStream, and its streams would reserve {needed}: raise `{setting}`"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demand(stream: &str, memory: bool, reserves: Option<u64>) -> Demand {
        Demand {
            stream: stream.into(),
            memory,
            bytes: 10,
            reserves,
        }
    }

    #[test]
    fn each_limit_names_its_setting_and_what_fits_passes() {
        let demands = [
            demand("A", false, Some(100)),
            demand("B", true, Some(50)),
            demand("C", false, None),
        ];
        let staying = [demand("D", false, None)];
        let none = Limits::default();
        assert_eq!(none.objection("account APP", &demands, &staying), None);
        let exact = Limits {
            memory: Some(50),
            files: Some(120),
            streams: Some(4),
            largest_in_memory: Some(50),
            largest_in_files: Some(100),
            needs_bound: false,
        };
        assert_eq!(exact.objection("account APP", &demands, &staying), None);
        let cases = [
            (
                Limits {
                    memory: Some(49),
                    ..exact
                },
                "raise `max_mem`",
            ),
            (
                Limits {
                    files: Some(119),
                    ..exact
                },
                "raise `max_file`",
            ),
            (
                Limits {
                    streams: Some(3),
                    ..exact
                },
                "raise `max_streams`",
            ),
            (
                Limits {
                    largest_in_memory: Some(49),
                    ..exact
                },
                "raise `mem_max_stream_bytes`",
            ),
            (
                Limits {
                    largest_in_files: Some(99),
                    ..exact
                },
                "raise `disk_max_stream_bytes`",
            ),
            (
                Limits {
                    needs_bound: true,
                    ..exact
                },
                "1 of the backup have none (C)",
            ),
        ];
        for (limits, words) in cases {
            let told = limits.objection("account APP", &demands, &staying).unwrap_or_default();
            assert!(told.contains(words), "{words}: {told}");
        }
    }

    #[test]
    fn what_other_accounts_reserve_counts_and_what_is_replaced_does_not() {
        let server = Reserved {
            memory_limit: None,
            memory: 0,
            file_limit: Some(200),
            files: 150,
        };
        let demands = [demand("A", false, Some(100))];
        assert!(of_server(&server, &demands, &[]).is_some_and(|told| told.contains("max_file_store")));
        assert_eq!(of_server(&server, &demands, &[demand("A", false, Some(50))]), None);
    }

    #[test]
    fn a_record_tells_what_was_asked_for() {
        let demands = vec![demand("A", false, Some(100)), demand("B", true, None)];
        assert_eq!(read(&told(&demands)), Some(demands));
    }
}
