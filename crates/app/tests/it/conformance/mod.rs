//! Every store passes the suite that all stores pass: a file for each, with what the suite cannot know of it.

mod clickhouse;
mod documentdb;
pub(crate) mod milvus;
mod nats;
mod neo4j;
mod postgres;
mod valkey;
