//! Asks a Neo4j for its truth: nodes by their labels and relationships by their type, with every property and its type; what rules and
//! indexes there are, and what they answer; and users, with the passwords that are taken.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::Facts;
use crate::testbed::nats::hex;
use crate::testbed::neo4j::{Neo4j, USERS, integer, plain, text};

const DATABASE: &str = "neo4j";
const SYSTEM: &str = "system";

/// So many nodes or relationships are asked for at once.
const PAGE: i64 = 20_000;

/// The witness's nodes are compared by themselves.
const NODES: &str = "MATCH (n) WHERE $first <= id(n) < $end AND NOT n:Witness
    RETURN id(n), labels(n), properties(n) ORDER BY id(n)";
const RELATIONSHIPS: &str = "MATCH (a)-[r]->(b) WHERE $first <= id(r) < $end
    RETURN id(r), type(r), properties(r), id(a), id(b) ORDER BY id(r)";
/// Ids that were never used count for nothing.
const ENDS: &str = "OPTIONAL MATCH (n) WITH coalesce(max(id(n)), -1) AS nodes
    OPTIONAL MATCH ()-[r]->() RETURN nodes + 1, coalesce(max(id(r)), -1) + 1";

const INDEXES: &str =
    "SHOW INDEXES YIELD name, type, state, populationPercent, entityType, labelsOrTypes, properties, indexProvider,
    owningConstraint, options";
const CONSTRAINTS: &str =
    "SHOW CONSTRAINTS YIELD name, type, entityType, labelsOrTypes, properties, ownedIndex, propertyType";
const DATABASES: &str = "SHOW DATABASES YIELD name, type, access, default, home, currentStatus";
const USERS_SHOWN: &str = "SHOW USERS YIELD user, roles, passwordChangeRequired, suspended, home";

/// What indexes answer that are not there for equal values alone: one that is empty answers nothing. Of each the first column is the fact.
/// What is near to a vector is found and judged approximately, by other ways in an index made anew: of a thousand that are found
/// the five that are nearest by the vectors themselves are the same.
const ANSWERS: [(&str, &str); 5] = [
    (
        "words",
        "CALL db.index.fulltext.queryNodes('words', 'title:document AND title:17') YIELD node RETURN node.title ORDER BY node.title",
    ),
    (
        "notes",
        "CALL db.index.fulltext.queryRelationships('notes', 'receipt AND 17') YIELD relationship AS r RETURN r.note ORDER BY r.note",
    ),
    (
        "meaning",
        "MATCH (d:Document {number: 17}) CALL db.index.vector.queryNodes('meaning', 1000, d.embedding) YIELD node
        WITH node, vector.similarity.cosine(d.embedding, node.embedding) AS near ORDER BY near DESC, node.number LIMIT 5 RETURN node.number ORDER BY node.number",
    ),
    (
        "document_title",
        "MATCH (d:Document) USING TEXT INDEX d:Document(title) WHERE d.title ENDS WITH '117' RETURN d.number ORDER BY d.number",
    ),
    (
        "place_at",
        "MATCH (p:Place) USING POINT INDEX p:Place(at) WHERE point.distance(p.at, point({x: 17, y: 29})) < 5
        RETURN p.name ORDER BY p.name",
    ),
];

/// By `neo4j/<database>`.
pub(in crate::testbed) fn neo4j(container: &str) -> Result<BTreeMap<String, Facts>> {
    let server = Neo4j::of(container)?;
    let graph = graph(&server).context("the graph")?;
    let system = system(&server, container).context("the users")?;
    Ok([(DATABASE, graph), (SYSTEM, system)]
        .map(|(name, facts)| (format!("neo4j/{name}"), facts))
        .into())
}

fn graph(server: &Neo4j) -> Result<Facts> {
    let ends = server.rows(DATABASE, ENDS, &json!({}))?;
    let [nodes, relationships] = ends.first().map(Vec::as_slice).context("it does not count")? else {
        anyhow::bail!("two numbers were asked for: {ends:?}");
    };
    let mut groups = BTreeMap::new();
    paged(server, NODES, integer(nodes)?, |row| {
        of(&mut groups, &name_of_node(&row[1]), row)
    })?;
    paged(server, RELATIONSHIPS, integer(relationships)?, |row| {
        of(&mut groups, &format!("relationships {}", text(&row[1])?), row)
    })?;
    let mut facts: Facts = groups.into_iter().map(|(name, group)| (name, group.told())).collect();
    named(server, DATABASE, "index", INDEXES, &mut facts)?;
    named(server, DATABASE, "constraint", CONSTRAINTS, &mut facts)?;
    answers(server, &mut facts)?;
    Ok(facts)
}

fn paged(server: &Neo4j, statement: &str, end: i64, mut each: impl FnMut(&[Value]) -> Result<()>) -> Result<()> {
    let mut first = 0;
    while first < end {
        let number = |number: i64| json!({"$type": "Integer", "_value": number.to_string()});
        let page = json!({"first": number(first), "end": number(first + PAGE)});
        for row in server.rows(DATABASE, statement, &page)? {
            each(&row)?;
        }
        first += PAGE;
    }
    Ok(())
}

/// Labels have no order.
fn name_of_node(labels: &Value) -> String {
    let labels = plain(labels);
    let mut labels: Vec<_> = labels
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    labels.sort_unstable();
    format!(
        "nodes {}",
        if labels.is_empty() {
            "without label".to_owned()
        } else {
            format!("{labels:?}")
        }
    )
}

/// Nodes of the same labels, or relationships of one type.
#[derive(Default)]
struct Group {
    count: u64,
    content: Sha256,
}

impl Group {
    fn told(self) -> Value {
        json!({"count": self.count, "content": hex(self.content)})
    }
}

/// Members of an object are sorted by name, so that a row is always the same text.
fn of(groups: &mut BTreeMap<String, Group>, name: &str, row: &[Value]) -> Result<()> {
    let group = groups.entry(name.to_owned()).or_default();
    group.count += 1;
    // All but labels or type, which are in the name.
    let rest: Vec<_> = row.iter().take(1).chain(row.iter().skip(2)).collect();
    group.content.update(serde_json::to_string(&rest)?);
    Ok(())
}

/// A fact for each row, named by its first column.
fn named(server: &Neo4j, database: &str, kind: &str, show: &str, facts: &mut Facts) -> Result<()> {
    let (_, columns) = show.split_once(" YIELD ").context("nothing is yielded")?;
    let columns: Vec<&str> = columns.split(',').map(str::trim).collect();
    for row in server.rows(database, show, &json!({}))? {
        let is: Map<String, Value> = columns
            .iter()
            .zip(&row)
            .skip(1)
            .map(|(name, value)| ((*name).to_owned(), plain(value)))
            .collect();
        let name = format!("{kind} {}", text(&row[0])?);
        // Two facts of one name would hide each other.
        ensure!(
            facts.insert(name.clone(), is.into()).is_none(),
            "two facts have the name {name}"
        );
    }
    Ok(())
}

fn answers(server: &Neo4j, facts: &mut Facts) -> Result<()> {
    for (index, question) in ANSWERS {
        if facts.contains_key(&format!("index {index}")) {
            let rows = server.tried(DATABASE, question, &json!({}))?;
            let found = rows["data"]["values"].as_array();
            let found: Value = found.into_iter().flatten().map(|row| plain(&row[0])).collect();
            facts.insert(format!("answer of {index}"), found);
        }
    }
    Ok(())
}

fn system(server: &Neo4j, container: &str) -> Result<Facts> {
    let mut facts = Facts::new();
    named(server, SYSTEM, "database", DATABASES, &mut facts)?;
    named(server, SYSTEM, "user", USERS_SHOWN, &mut facts)?;
    for (user, password) in USERS {
        let answer = Neo4j::by(container, user, password)?.tried(DATABASE, "RETURN 1", &json!({}))?;
        let outcome = answer["errors"][0]["code"].as_str().unwrap_or("taken");
        facts.insert(format!("login {user} with {password}"), outcome.into());
    }
    Ok(facts)
}
