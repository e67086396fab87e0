//! What is large: how each is laid into an empty store, and how it is harmed before it is restored.

use anyhow::{Result, ensure};
use clap::ValueEnum;
use serde_json::json;
use stillpoint_testkit::testbed::{Facts, Shape, Testbed, Truth};

use super::nats;

/// A store that is large in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::soak) enum Load {
    /// One stream of 2 GB
    Stream,
    /// A stream with 1,000 consumers
    Consumers,
    /// 5 million keys, with streams and functions
    Keys,
    /// 2,000 tables
    Tables,
}

const DATABASE: &str = "large";

impl Load {
    pub(super) fn words(self) -> String {
        let words = match self {
            Self::Stream => "NATS: a stream of 2 GB, 16,000 messages of 128 KiB and 320,000 of 64 B",
            Self::Consumers => "NATS: a stream with 1,000 consumers at as many places",
            Self::Keys => "Valkey: 5,000,000 keys, 4 of 5 with an expiry, streams, 50 libraries of functions",
            Self::Tables => "PostgreSQL: 2,000 tables in 20 schemas, each with rows, a key, an index and a sequence",
        };
        words.to_owned()
    }

    pub(super) fn shape(self) -> Shape {
        match self {
            Self::Stream | Self::Consumers => Shape::Nats,
            Self::Keys => Shape::Valkey,
            Self::Tables => Shape::Mini,
        }
    }

    pub(super) fn lay(self, testbed: &Testbed) -> Result<()> {
        match self {
            Self::Stream => nats::lay_stream(testbed),
            Self::Consumers => nats::lay_consumers(testbed),
            Self::Keys => testbed.beside("valkey", include_str!("keys.sh")).map(drop),
            Self::Tables => {
                testbed.psql("postgres", &format!("create database {DATABASE}"))?;
                testbed.psql(DATABASE, include_str!("tables.sql")).map(drop)
            }
        }
    }

    /// What a restore must bring back.
    pub(super) fn truth(self, testbed: &Testbed) -> Result<Truth> {
        if self != Self::Keys {
            return testbed.truth();
        }
        let said = testbed.beside("valkey", include_str!("look.valkey.sh"))?;
        let facts: Facts = said
            .lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(fact, is)| (fact.to_owned(), json!(is)))
            .collect();
        ensure!(facts.len() > 50, "no facts about the keys: {said}");
        Ok(Truth {
            places: [("valkey".to_owned(), facts)].into(),
            ..Truth::default()
        })
    }

    /// A part of it is lost and another changed: a restore that does nothing would show.
    pub(super) fn harm(self, testbed: &Testbed) -> Result<()> {
        match self {
            Self::Stream => nats::harm_stream(testbed),
            Self::Consumers => nats::harm_consumers(testbed),
            Self::Keys => testbed.beside("valkey", include_str!("harm.valkey.sh")).map(drop),
            Self::Tables => testbed.psql(DATABASE, include_str!("harm.sql")).map(drop),
        }
    }
}
