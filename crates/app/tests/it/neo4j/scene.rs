//! What the tests of Neo4j share: a server of a test's own, and what it holds as the server itself tells it.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use stillpoint_testkit::product::{Product, Ran};
use stillpoint_testkit::testbed::{Shape, Testbed};

use crate::common::{PROGRAM, until};

pub(super) const SERVICE: &str = "graph";
pub(super) const PASSWORD: &str = "first-secret";

/// Little memory: two servers run while a backup drains.
const SMALL: [&str; 3] = [
    "--env=NEO4J_server_memory_heap_initial__size=128m",
    "--env=NEO4J_server_memory_heap_max__size=256m",
    "--env=NEO4J_server_memory_pagecache_size=64m",
];

/// A server waits ten seconds for clients of Bolt before it ends. Here are none.
const QUICK: [&str; 4] = [
    "--env=NEO4J_internal_server_bolt_thread__pool__shutdown__wait__time=100ms",
    "--env=NEO4J_internal_server_bolt_connection__shutdown__wait__time=100ms",
    "--env=NEO4J_internal_dbms_bolt_netty__server__shutdown__quiet__period=0",
    "--env=NEO4J_internal_dbms_bolt_netty__server__shutdown__timeout=1s",
];

/// A server beside a client that has nothing to do.
pub(super) struct Graph<'a> {
    pub(super) testbed: &'a Testbed,
    pub(super) product: Product,
    pub(super) id: String,
    password: &'a str,
    database: &'a str,
    options: &'a [&'a str],
}

/// Runs a test on a platform with one server that stops at once.
pub(super) fn on_graph(name: &str, test: impl FnOnce(&Graph) -> Result<()>) -> Result<()> {
    on(name, &QUICK, test)
}

/// The same, with one that takes as long as it does where nobody has told it otherwise.
pub(super) fn on_slow_graph(name: &str, test: impl FnOnce(&Graph) -> Result<()>) -> Result<()> {
    on(name, &[], test)
}

fn on(name: &str, options: &[&str], test: impl FnOnce(&Graph) -> Result<()>) -> Result<()> {
    let folder = tempfile::tempdir()?;
    Testbed::for_test(name, Shape::Mini)?.examined(|testbed| {
        testbed.guest("app", "IDLE", &[], &["term"])?;
        let volume = format!("{}_graph", testbed.project());
        let label = format!("--label=com.docker.compose.project={}", testbed.project());
        testbed.docker(&["volume", "create", &label, &volume])?;
        let product = Product::of(PROGRAM, folder.path(), testbed);
        let graph = Graph::start(testbed, product, (PASSWORD, "neo4j"), options)?;
        test(&graph)
    })
}

impl<'a> Graph<'a> {
    fn start(
        testbed: &'a Testbed,
        product: Product,
        (password, database): (&'a str, &'a str),
        options: &'a [&'a str],
    ) -> Result<Self> {
        let auth = format!("--env=NEO4J_AUTH=neo4j/{password}");
        let named = format!("--env=NEO4J_initial_dbms_default__database={database}");
        let volume = format!("--volume={}_graph:/data", testbed.project());
        let own = ["--restart=unless-stopped", &auth, &named, &volume];
        let graph = Self {
            testbed,
            product,
            id: testbed.guest(SERVICE, "NEO4J", &[&SMALL[..], options, &own].concat(), &[])?,
            password,
            database,
            options,
        };
        graph.answers()?;
        Ok(graph)
    }

    /// A disaster: another container, with other variables, on an empty volume.
    pub(super) fn anew<'b>(&self, password: &'b str, database: &'b str) -> Result<Graph<'b>>
    where
        'a: 'b,
    {
        self.testbed.docker(&["rm", "--force", &self.id])?;
        let volume = format!("{}_graph", self.testbed.project());
        let label = format!("--label=com.docker.compose.project={}", self.testbed.project());
        self.testbed.docker(&["volume", "rm", &volume])?;
        self.testbed.docker(&["volume", "create", &label, &volume])?;
        Graph::start(self.testbed, self.product.clone(), (password, database), self.options)
    }

    pub(super) fn exec(&self, command: &[&str]) -> Result<String> {
        let all: Vec<&str> = ["exec", &self.id].into_iter().chain(command.iter().copied()).collect();
        self.testbed.docker(&all)
    }

    /// The rows of a statement.
    pub(super) fn ask(&self, statement: &str) -> Result<Value> {
        self.ask_in(self.database, ("neo4j", self.password), statement)
    }

    /// The same, of a database, as somebody.
    pub(super) fn ask_in(&self, database: &str, (user, password): (&str, &str), statement: &str) -> Result<Value> {
        const SCRIPT: &str = r#"exec wget -qO- --header="Authorization: Basic $(printf %s "$1" | base64 -w0)" \
            --header='Content-Type: application/json' --header='Accept: application/json' \
            --post-data="$2" "http://127.0.0.1:7474/db/$3/query/v2""#;
        let (who, body) = (
            format!("{user}:{password}"),
            json!({"statement": statement}).to_string(),
        );
        let said = self.exec(&["sh", "-c", SCRIPT, "sh", &who, &body, database])?;
        let answer: Value = serde_json::from_str(&said).with_context(|| format!("{statement}: {said}"))?;
        Ok(answer["data"]["values"].clone())
    }

    pub(super) fn answers(&self) -> Result<()> {
        until("the server answers", || Ok(self.ask("RETURN 1").is_ok()))
    }

    /// Nodes, relationships, an index and a constraint, and a user.
    pub(super) fn fill(&self, marker: &str) -> Result<()> {
        for statement in [
            "UNWIND range(1, 2000) AS i CREATE (:A {i: i, s: toString(i)})-[:R {w: i / 7.0}]->(:B {at: date('2026-02-17')})",
            "CREATE CONSTRAINT one FOR (a:A) REQUIRE a.i IS UNIQUE",
            "CREATE FULLTEXT INDEX words FOR (a:A) ON EACH [a.s]",
            &format!("CREATE (:`we``ird ✓` {{marker: '{marker}', list: [1, 2, 3], where: point({{x: 1, y: 2}})}})"),
        ] {
            self.ask(statement)?;
        }
        Ok(())
    }

    /// What is in it, as the server tells it.
    pub(super) fn truth(&self) -> Result<Vec<String>> {
        let statements = [
            "MATCH (n) RETURN labels(n), count(*), sum(coalesce(n.i, 0)) ORDER BY labels(n)[0]",
            "MATCH ()-[r]->() RETURN type(r), count(*), sum(r.w)",
            "MATCH (n:`we``ird ✓`) RETURN n.marker, n.list, toString(n.where)",
            "SHOW INDEXES YIELD name, type, state RETURN name, type, state ORDER BY name",
            "SHOW CONSTRAINTS YIELD name, type RETURN name, type ORDER BY name",
        ];
        statements
            .iter()
            .map(|statement| Ok(self.ask(statement)?.to_string()))
            .collect()
    }

    /// Everything is gone, and something else is there.
    pub(super) fn wreck(&self) -> Result<()> {
        self.ask("MATCH (n) DETACH DELETE n")?;
        self.ask("DROP CONSTRAINT one IF EXISTS")?;
        self.ask("CREATE (:A {i: 7, s: 'rubbish'})").map(drop)
    }

    /// What lies in its data folder.
    pub(super) fn files(&self) -> Result<String> {
        self.exec(&["ls", "-A", "/data"])
    }

    /// What files take on the disk.
    pub(super) fn kibibytes(&self, place: &str) -> Result<u64> {
        let said = self.exec(&["sh", "-c", &format!("du -sk {place} | cut -f1")])?;
        said.trim().parse().with_context(|| said)
    }

    pub(super) fn restore(&self, backup: &str, more: &[&str]) -> Result<Ran> {
        self.product
            .run(&[&["restore", backup, "--confirm", backup], more].concat())
    }

    /// Puts other bytes in the place of an artifact, and their hash and size into the manifest: what was broken before it
    /// was hashed.
    pub(super) fn falsify(&self, backup: &str, artifact: &str, bytes: &[u8]) -> Result<()> {
        let dump = self.product.repository.join(backup).join(artifact);
        fs::write(&dump, bytes)?;
        let hash = Command::new("sha256sum").arg(&dump).output()?;
        let hash = String::from_utf8(hash.stdout)?[..64].to_owned();
        self.forge(backup, |store| {
            let artifacts = store["artifacts"].as_array_mut().context("no artifacts")?;
            let one = artifacts.iter_mut().find(|one| one["name"] == artifact);
            let one = one.context("no such artifact")?;
            one["sha256"] = hash.into();
            one["size"] = bytes.len().into();
            Ok(())
        })
    }

    /// Changes what the manifest says of the server.
    pub(super) fn forge(&self, backup: &str, change: impl FnOnce(&mut Value) -> Result<()>) -> Result<()> {
        let manifest = self.product.repository.join(backup).join("manifest.json");
        let mut told: Value = serde_json::from_slice(&fs::read(&manifest)?)?;
        change(&mut told["stores"][0])?;
        Ok(fs::write(&manifest, serde_json::to_vec(&told)?)?)
    }

    /// Nothing of ours is beside its data, and no container of ours beside it.
    pub(super) fn is_clean(&self) -> Result<()> {
        let files = self.files()?;
        ensure!(
            !files.contains(".stillpoint") && !files.contains("sp_"),
            "left: {files}"
        );
        let siblings = self.testbed.siblings()?;
        ensure!(siblings.is_empty(), "left: {siblings:?}");
        Ok(())
    }
}
