//! DocumentDB in the suite of all stores.

use anyhow::Result;
use stillpoint_testkit::conformance::store::Subject;
use stillpoint_testkit::store_conformance;
use stillpoint_testkit::testbed::{Shape, Testbed};

use super::postgres::TRACES;
use crate::common::PROGRAM;

struct Documentdb;

store_conformance!(Documentdb, PROGRAM);

impl Subject for Documentdb {
    fn shape(&self) -> Shape {
        Shape::Documentdb
    }

    fn service(&self) -> &'static str {
        "postgres-ferretdb"
    }

    fn password(&self) -> &'static str {
        "STILLPOINT_POSTGRES_FERRETDB_PASSWORD"
    }

    fn bulk(&self, testbed: &Testbed) -> Result<&'static str> {
        let noise = "string_agg(sha512((g * 1000 + i)::text::bytea), ''::bytea)";
        let noise = format!(
            "select count(documentdb_api.insert_one('hub', 'noise', g::text::bytea, noise)) from generate_series(1::bigint, 4000) g, \
             lateral (select {noise} noise from generate_series(1, 80) i) n"
        );
        testbed.psql_in_documentdb(&noise)?;
        Ok("postgres-ferretdb/postgres.dump")
    }

    fn intrude(&self, testbed: &Testbed) -> Result<&'static str> {
        testbed.psql_in_documentdb(
            "select documentdb_api.insert_one('outside', 'x', gen_random_uuid()::text::bytea, 'x'::bytea)",
        )?;
        Ok("database `postgres`")
    }

    fn traces(&self, testbed: &Testbed) -> Result<String> {
        testbed.psql_in_documentdb(TRACES)
    }
}
