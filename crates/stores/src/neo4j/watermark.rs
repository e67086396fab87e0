//! The mark of client writes: the number of the last committed transaction of the database and of `system`. Every commit
//! raises it, also one that changes indexes, constraints or users; reads, checkpoints, a pause and a restart do not.

use std::collections::BTreeMap;

use serde_json::json;
use stillpoint_core::manifest::Watermark;
use stillpoint_core::stores::{Cx, StoreError};

use super::bookmark::transaction;
use super::http::AGENT;
use super::session::{AskError, Rows, SYSTEM, Session};
use super::{Neo4jStore, session};

/// A read of each: administration is all that `system` understands.
const READS: [&str; 2] = ["RETURN 1", "SHOW USERS YIELD user RETURN count(user)"];

const MARK: &str = "reading the mark of its last transaction";

/// Who is connected, by whom Bolt or HTTP was spoken. What HTTP is translated into shows as well, and is nobody.
const CONNECTIONS: &str = "CALL dbms.listConnections() YIELD connector, username, userAgent, clientAddress
WHERE connector <> 'bolt-local' RETURN connector, username, userAgent, clientAddress";

impl Neo4jStore {
    /// Marks both databases.
    pub(super) async fn mark(&self, session: &Session<'_>, database: &str) -> Result<Watermark, StoreError> {
        let mut marks = BTreeMap::new();
        for (name, read) in [database, SYSTEM].into_iter().zip(READS) {
            let answer = session.ask(name, read, json!({})).await;
            let answer = answer.map_err(|trouble| self.failed(MARK, trouble))?;
            marks.insert(name.to_owned(), self.last_transaction(name, &answer)?);
        }
        Ok(Watermark(marks))
    }

    fn last_transaction(&self, database: &str, answer: &Rows) -> Result<u64, StoreError> {
        let last = answer.bookmark.as_deref().and_then(transaction);
        last.ok_or_else(|| {
            let bookmark = answer.bookmark.as_deref().unwrap_or("none");
            self.unfit(&format!(
                "its bookmark of database {database} is not understood: {bookmark}"
            ))
        })
    }

    pub(super) async fn connections(&self, cx: &Cx) -> Result<Vec<String>, StoreError> {
        let session = self.open(cx).await?;
        let layout = self.learn(cx, &self.workload).await?;
        let rows = session.ask(&layout.database, CONNECTIONS, json!({})).await;
        let rows = rows.map_err(|trouble: AskError| self.failed("asking for the server's clients", trouble))?;
        Ok(clients(&rows))
    }
}

fn clients(rows: &Rows) -> Vec<String> {
    let told = rows.rows.iter().filter_map(|row| {
        let texts: Vec<&str> = row.iter().map(|value| value.as_str().unwrap_or("")).collect();
        match texts[..] {
            [_, _, agent, _] if agent.starts_with(AGENT) => None,
            [connector, user, agent, address] => Some(format!("{address} user {user}, {agent} over {connector}")),
            _ => None,
        }
    });
    told.collect()
}

/// What was written between two marks, in words. A number never goes back by itself.
pub(super) fn moved(before: &Watermark, after: &Watermark) -> Vec<String> {
    let told = before.differences(after).map(|(database, was, is)| {
        let what = if database == session::SYSTEM {
            "users or settings (database system)".to_owned()
        } else {
            format!("database {database}")
        };
        match is.checked_sub(was) {
            Some(1) => format!("{what}: 1 transaction"),
            Some(more) => format!("{what}: {more} transactions"),
            None => format!("{what}: its last transaction was {was} and is {is}: it was replaced"),
        }
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(database: u64, system: u64) -> Watermark {
        Watermark([("neo4j".to_owned(), database), (SYSTEM.to_owned(), system)].into())
    }

    #[test]
    fn every_commit_is_told_and_nothing_else() {
        assert_eq!(moved(&mark(7, 41), &mark(7, 41)), Vec::<String>::new());
        assert_eq!(moved(&mark(7, 41), &mark(8, 41)), ["database neo4j: 1 transaction"]);
        let told = moved(&mark(7, 41), &mark(3, 43)).join("; ");
        assert!(
            told.contains("was 7 and is 3") && told.contains("system): 2 transactions"),
            "{told}"
        );
    }

    #[test]
    fn clients_are_all_but_us() {
        let row = |agent: &str| vec![json!("bolt"), json!("app"), json!(agent), json!("10.1.2.3:5555")];
        let rows = Rows {
            rows: vec![row("neo4j-python/5.1"), row("stillpoint")],
            bookmark: None,
        };
        assert_eq!(clients(&rows), ["10.1.2.3:5555 user app, neo4j-python/5.1 over bolt"]);
    }
}
