//! Asking a server in Cypher, over HTTP: the Query API, or where a version has none its older transactional endpoint.
//! The store's own server is reached by its port; one that we run beside it by a process there, for it has no network.

use std::time::Duration;

use secrecy::SecretString;
use serde_json::{Value, json};
use stillpoint_core::names::WorkloadId;
use stillpoint_core::ports::{Command, EngineError};
use stillpoint_core::stores::{Cx, StoreError};

use super::Neo4jStore;
use super::access::{Login, PORT};
use super::http::{Answer, Ask, Broken, exchange};
use crate::toolbox::guarded;

/// Where administration is asked for, and users are.
pub(super) const SYSTEM: &str = "system";

/// What a server that was told too many wrong passwords says to a right one, for 5 s (`dbms.security.auth_lock_time`).
const LOCKED: &str = "Neo.ClientError.Security.AuthenticationRateLimit";
const ATTEMPTS: u32 = 4;
const BETWEEN: Duration = Duration::from_secs(2);

/// What the codes of a refused login begin with.
const SECURITY: &str = "Neo.ClientError.Security.";

/// Carries bytes to a port of its own container's loopback. Every image has bash: Neo4j's own programs want it.
const CARRY: &str = r#"exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
cat <&3 &
cat >&3
wait"#;

/// How a server is reached.
#[derive(Clone, Copy)]
pub(super) enum Way<'a> {
    /// By the port of the store's container.
    Port(&'a WorkloadId, u16),
    /// From inside the container where we run it.
    Inside(&'a WorkloadId),
}

/// What a server says of itself to anybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct About {
    pub(super) version: String,
    pub(super) edition: String,
    /// It has the Query API: since 5.19.
    has_query_api: bool,
}

/// Rows, and the mark of the last transaction.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Rows {
    pub(super) rows: Vec<Vec<Value>>,
    pub(super) bookmark: Option<String>,
}

/// Why nothing came back.
#[derive(Debug)]
pub(super) enum AskError {
    /// The server refused, in its own words.
    Refused { code: String, message: String },
    /// It does not answer, or not as such a server does.
    Silent(Broken),
    /// Everything else.
    Store(StoreError),
}

impl From<StoreError> for AskError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Engine(EngineError::Refused { message, .. }) => Self::Silent(message.into()),
            error => Self::Store(error),
        }
    }
}

impl AskError {
    /// Whether it only is not ready yet.
    pub(super) fn is_temporary(&self) -> bool {
        match self {
            Self::Silent(_) => true,
            Self::Refused { code, .. } => {
                code.starts_with("Neo.TransientError.") || code == "Neo.ClientError.Database.DatabaseNotFound"
            }
            Self::Store(_) => false,
        }
    }

    /// Whether the login was refused.
    pub(super) fn is_login(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code.starts_with(SECURITY))
    }
}

/// A server that is asked.
pub(super) struct Session<'a> {
    cx: &'a Cx,
    way: Way<'a>,
    login: Option<SecretString>,
    pub(super) about: About,
}

impl<'a> Session<'a> {
    /// Asks the server what it is. Whether the login is taken shows with the first statement.
    pub(super) async fn open(cx: &'a Cx, way: Way<'a>, login: Option<&Login>) -> Result<Self, AskError> {
        let mut session = Self {
            cx,
            way,
            login: login.map(Login::header),
            about: About::default(),
        };
        let ask = Ask {
            path: "/",
            login: None,
            body: None,
        };
        let answer = session.exchange(&ask).await?;
        session.about = about(&answer).ok_or_else(|| strange(&answer))?;
        Ok(session)
    }

    /// Carries a statement out.
    pub(super) async fn ask(&self, database: &str, statement: &str, parameters: Value) -> Result<Rows, AskError> {
        let one = json!({"statement": statement, "parameters": parameters});
        let (path, body) = if self.about.has_query_api {
            (format!("/db/{database}/query/v2"), one)
        } else {
            (format!("/db/{database}/tx/commit"), json!({"statements": [one]}))
        };
        let ask = Ask {
            path: &path,
            login: self.login.as_ref(),
            body: Some(&body),
        };
        for _ in 1..ATTEMPTS {
            match rows(&self.exchange(&ask).await?) {
                Err(AskError::Refused { code, .. }) if code == LOCKED => {
                    guarded(self.cx, "waiting", self.cx.clock.sleep(BETWEEN)).await?;
                }
                other => return other,
            }
        }
        rows(&self.exchange(&ask).await?)
    }

    async fn exchange(&self, ask: &Ask<'_>) -> Result<Answer, AskError> {
        let cx = self.cx;
        match self.way {
            Way::Port(workload, port) => {
                let what = "asking the server";
                let stream = guarded(cx, what, cx.reach.dial(workload, port)).await?;
                let stream = stream.map_err(StoreError::Engine)?;
                guarded(cx, what, exchange(stream, ask))
                    .await?
                    .map_err(AskError::Silent)
            }
            Way::Inside(place) => inside(cx, place, ask).await,
        }
    }
}

async fn inside(cx: &Cx, place: &WorkloadId, ask: &Ask<'_>) -> Result<Answer, AskError> {
    let what = "asking the server that runs beside the store";
    let port = PORT.to_string();
    let command = Command::new(["bash", "-c", CARRY, "bash", &port]).with_input();
    let process = cx.shell.exec(place, command).await.map_err(StoreError::Engine)?;
    let mut control = process.control;
    let Some(input) = process.input else {
        return Err(AskError::Silent("its input is closed".into()));
    };
    let stream = tokio::io::join(process.output, input);
    let answer = guarded(cx, what, exchange(Box::new(stream), ask)).await;
    if let Err(left) = control.kill().await {
        cx.report.warn(format!("what carried a question may still run: {left}"));
    }
    answer?.map_err(AskError::Silent)
}

fn about(answer: &Answer) -> Option<About> {
    let text = |name: &str| answer.body.get(name)?.as_str().map(ToOwned::to_owned);
    Some(About {
        version: text("neo4j_version")?,
        edition: text("neo4j_edition").unwrap_or_default(),
        has_query_api: answer.body.get("query").is_some(),
    })
}

fn rows(answer: &Answer) -> Result<Rows, AskError> {
    let body = &answer.body;
    if let Some(error) = body.pointer("/errors/0") {
        let text = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        return Err(AskError::Refused {
            code: text("code"),
            message: text("message"),
        });
    }
    let bookmark = |list: &str| body.pointer(list).and_then(Value::as_str).map(ToOwned::to_owned);
    let row = |row: &Value| row.as_array().cloned();
    if let Some(values) = body.pointer("/data/values").and_then(Value::as_array) {
        return Ok(Rows {
            rows: values.iter().filter_map(row).collect(),
            bookmark: bookmark("/bookmarks/0"),
        });
    }
    if let Some(data) = body.pointer("/results/0/data").and_then(Value::as_array) {
        return Ok(Rows {
            rows: data.iter().filter_map(|entry| row(entry.get("row")?)).collect(),
            bookmark: bookmark("/lastBookmarks/0"),
        });
    }
    Err(strange(answer))
}

fn strange(answer: &Answer) -> AskError {
    AskError::Silent(format!("it answers with status {}, and not as Neo4j does", answer.status).into())
}

/// The first column, as text.
pub(super) fn texts(rows: &Rows) -> Vec<String> {
    let text = |row: &Vec<Value>| row.first()?.as_str().map(ToOwned::to_owned);
    rows.rows.iter().filter_map(text).collect()
}

impl Neo4jStore {
    /// The store's own server.
    pub(super) async fn open<'a>(&'a self, cx: &'a Cx) -> Result<Session<'a>, StoreError> {
        let login = self.access.login(cx, &self.workload).await?;
        let way = Way::Port(&self.workload, self.access.port);
        let session = Session::open(cx, way, login.as_ref()).await;
        session.map_err(|trouble| self.failed("asking the server what it is", trouble))
    }

    /// An error of the server, with what it was asked.
    pub(super) fn failed(&self, doing: &str, trouble: AskError) -> StoreError {
        match trouble {
            AskError::Store(error) => error,
            AskError::Silent(cause) => StoreError::Silent {
                store: self.name.clone(),
                cause,
            },
            AskError::Refused { code, message } if code.starts_with(SECURITY) => StoreError::Credential {
                store: self.name.clone(),
                user: self.access.user().to_owned(),
                cause: message,
                remedy: format!(
                    "set {variable} (or {variable}_FILE) to the password of `{}`",
                    self.access.user(),
                    variable = self.access.variable
                ),
            },
            AskError::Refused { code, message } => StoreError::Server {
                doing: doing.to_owned(),
                cause: format!("{message} ({code})").into(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, body: Value) -> Answer {
        Answer { status, body }
    }

    #[test]
    fn both_endpoints_tell_rows_and_a_bookmark() {
        let expected = Rows {
            rows: vec![vec![json!("neo4j"), json!(true)]],
            bookmark: Some("FB:x".into()),
        };
        let new = json!({"data": {"fields": ["name", "default"], "values": [["neo4j", true]]}, "bookmarks": ["FB:x"]});
        assert_eq!(rows(&answered(202, new)).unwrap(), expected);
        let old = json!({
            "results": [{"columns": ["name", "default"], "data": [{"row": ["neo4j", true], "meta": [null, null]}]}],
            "errors": [], "lastBookmarks": ["FB:x"],
        });
        assert_eq!(rows(&answered(200, old)).unwrap(), expected);
        assert_eq!(texts(&expected), ["neo4j"]);
    }

    #[test]
    fn a_refusal_is_told_in_the_servers_words() {
        let refusal = |code: &str| answered(400, json!({"errors": [{"code": code, "message": "No."}]}));
        let login = rows(&refusal("Neo.ClientError.Security.Unauthorized")).unwrap_err();
        assert!(login.is_login() && !login.is_temporary());
        let busy = rows(&refusal("Neo.TransientError.General.DatabaseUnavailable")).unwrap_err();
        assert!(busy.is_temporary() && !busy.is_login());
        assert!(
            !rows(&refusal("Neo.ClientError.Statement.SyntaxError"))
                .unwrap_err()
                .is_temporary()
        );
        assert!(matches!(rows(&answered(502, Value::Null)), Err(AskError::Silent(_))));
    }

    #[test]
    fn what_a_server_says_of_itself_is_known() {
        let said =
            json!({"neo4j_version": "5.26.30", "neo4j_edition": "community", "query": "http://x/db/{d}/query/v2"});
        let known = about(&answered(200, said)).unwrap();
        assert!(known.has_query_api && known.version == "5.26.30" && known.edition == "community");
        let old = json!({"neo4j_version": "5.13.0", "neo4j_edition": "enterprise", "transaction": "http://x"});
        assert!(!about(&answered(200, old)).unwrap().has_query_api);
        assert_eq!(about(&answered(200, json!({"hello": "world"}))), None);
    }
}
