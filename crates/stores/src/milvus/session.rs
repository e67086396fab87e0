//! Asking a server in its gRPC interface. Every question has a deadline.

use std::sync::Arc;

use futures::future::join_all;
use hyper::http::uri::PathAndQuery;
use hyper_util::rt::TokioIo;
use stillpoint_core::names::WorkloadId;
use stillpoint_core::ports::{Reach, within};
use stillpoint_core::stores::{Cause, Cx, StoreError};
use tonic::client::Grpc;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request};
use tonic_prost::ProstCodec;
use tower::service_fn;

use super::MilvusStore;
use super::access::Login;
use super::config::Config;
use super::proto::{self, Answer, Collections, Databases, OfDatabase};
use crate::toolbox::cancellable;

/// More than any answer has: the segments of a collection with very many.
const LARGEST_ANSWER: usize = 256 << 20;

/// The database that every server has.
const DEFAULT_DATABASE: &str = "default";

/// Of servers that know no databases.
const UNKNOWN_METHOD: &str = "unknown method";

/// Why nothing came back.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The server refused, in its own words.
    Refused(String),
    /// It does not take the login.
    Login(String),
    /// The login may not.
    Denied(String),
    /// It does not answer, or not yet.
    Silent(Cause),
    /// Everything else.
    Store(StoreError),
}

impl Trouble {
    /// Whether a server that is only just starting answers so.
    pub(super) fn is_temporary(&self) -> bool {
        match self {
            Self::Silent(_) => true,
            Self::Refused(why) => ["not ready", "not healthy", "Initializing", "StandBy", "not initialized"]
                .iter()
                .any(|sign| why.contains(sign)),
            _ => false,
        }
    }

    /// Whether a server answers so that was started a moment ago: its parts know each other by what is left in etcd of those that died
    /// with the one before, for as long as that is (`common.session.ttl`), and what was loaded is there before it is answered with.
    fn is_settling(&self) -> bool {
        match self {
            Self::Refused(why) => ["attempt #", "shard leader", "failed to query", "not fully loaded"]
                .iter()
                .any(|sign| why.contains(sign)),
            _ => self.is_temporary(),
        }
    }

    fn is_too_often(&self) -> bool {
        matches!(self, Self::Refused(why) if why.contains("rate limit") || why.contains("RateLimit"))
    }
}

/// A collection of a database.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Collection {
    pub(super) database: String,
    pub(super) name: String,
    pub(super) id: i64,
}

impl Collection {
    /// As users call it.
    pub(super) fn told(&self) -> String {
        format!("{}.{}", self.database, self.name)
    }
}

/// A server that is asked.
pub(super) struct Session<'a> {
    pub(super) cx: &'a Cx,
    channel: Channel,
    authorization: Option<MetadataValue<Ascii>>,
}

impl<'a> Session<'a> {
    /// Connects with the first question.
    pub(super) fn of(cx: &'a Cx, workload: &WorkloadId, port: u16, login: Option<&Login>) -> Result<Self, StoreError> {
        let (reach, workload) = (cx.reach.clone(), workload.clone());
        let connect = service_fn(move |_| dial(reach.clone(), workload.clone(), port));
        let channel = Endpoint::from_static("http://milvus").connect_with_connector_lazy(connect);
        let authorization = login
            .map(|login| login.header().parse::<MetadataValue<Ascii>>())
            .transpose();
        let authorization = authorization.map_err(|error| StoreError::Unfit(format!("the login: {error}")))?;
        let authorization = authorization.map(|mut value| {
            value.set_sensitive(true);
            value
        });
        Ok(Self {
            cx,
            channel,
            authorization,
        })
    }

    /// Asks once.
    pub(super) async fn ask<Q, A>(&self, method: &'static str, question: Q) -> Result<A, Trouble>
    where
        Q: prost::Message + 'static,
        A: Answer,
    {
        let asked = Box::pin(self.call(method, question));
        let asked = within(&*self.cx.clock, self.cx.idle_limit, "the server's answer", asked);
        let answer: A = cancellable(self.cx, asked)
            .await
            .map_err(Trouble::Store)?
            .map_err(|overdue| Trouble::Store(overdue.into()))??;
        match answer.status().filter(|status| !status.is_success()) {
            None => Ok(answer),
            Some(status) => Err(Trouble::Refused(format!(
                "{} (code {})",
                status.reason,
                status.code.max(status.error_code)
            ))),
        }
    }

    /// Asks what changes nothing when it is asked again, until the server has settled.
    async fn ask_settled<Q, A>(&self, method: &'static str, question: Q) -> Result<A, Trouble>
    where
        Q: prost::Message + Clone + 'static,
        A: Answer,
    {
        let began = self.cx.clock.elapsed();
        loop {
            match self.ask(method, question.clone()).await {
                Err(trouble) if trouble.is_too_often() => {}
                Err(trouble) if trouble.is_settling() => {
                    if self.cx.clock.elapsed().saturating_sub(began) > self.cx.idle_limit {
                        return Err(trouble);
                    }
                }
                answered => return answered,
            }
            self.wait().await?;
        }
    }

    async fn call<Q, A>(&self, method: &'static str, question: Q) -> Result<A, Trouble>
    where
        Q: prost::Message + 'static,
        A: Answer,
    {
        let mut grpc = Grpc::new(self.channel.clone()).max_decoding_message_size(LARGEST_ANSWER);
        grpc.ready().await.map_err(|error| Trouble::Silent(error.into()))?;
        let mut request = Request::new(question);
        if let Some(authorization) = &self.authorization {
            request.metadata_mut().insert("authorization", authorization.clone());
        }
        let path = PathAndQuery::from_static(method);
        let answered = grpc.unary(request, path, ProstCodec::<Q, A>::default()).await;
        answered.map(tonic::Response::into_inner).map_err(|status| {
            let said = status.message().to_owned();
            match status.code() {
                Code::Unauthenticated => Trouble::Login(said),
                Code::PermissionDenied => Trouble::Denied(said),
                Code::Unavailable | Code::Cancelled => Trouble::Silent(status.into()),
                _ => Trouble::Refused(said),
            }
        })
    }

    /// The server's version, in its own words.
    pub(super) async fn version(&self) -> Result<String, Trouble> {
        let answer: proto::Version = self.ask(method::GET_VERSION, proto::Nothing {}).await?;
        Ok(answer.version)
    }

    /// Its databases.
    pub(super) async fn databases(&self) -> Result<Vec<String>, Trouble> {
        let answer: Result<Databases, _> = self.ask(method::LIST_DATABASES, proto::Nothing {}).await;
        match answer {
            Ok(found) => Ok(found.names),
            Err(Trouble::Refused(why)) if why.contains(UNKNOWN_METHOD) => Ok(vec![DEFAULT_DATABASE.to_owned()]),
            Err(trouble) => Err(trouble),
        }
    }

    /// All its collections, in order.
    pub(super) async fn collections(&self) -> Result<Vec<Collection>, Trouble> {
        let mut collections = Vec::new();
        for database in self.databases().await? {
            let of = OfDatabase {
                database: database.clone(),
            };
            let found: Collections = self.ask(method::SHOW_COLLECTIONS, of).await?;
            let found = found.names.into_iter().zip(found.ids);
            collections.extend(found.map(|(name, id)| Collection {
                database: database.clone(),
                name,
                id,
            }));
        }
        collections.sort();
        Ok(collections)
    }

    /// The state of loading of a collection.
    pub(super) async fn load_state(&self, of: &Collection) -> Result<i32, Trouble> {
        let question = proto::LoadStateOf {
            collection: of.name.clone(),
            database: of.database.clone(),
        };
        let answer: proto::LoadState = self.ask(method::GET_LOAD_STATE, question).await?;
        Ok(answer.state)
    }

    /// How many rows a loaded collection has now.
    pub(super) async fn rows(&self, of: &Collection) -> Result<u64, Trouble> {
        let question = proto::Query {
            database: of.database.clone(),
            collection: of.name.clone(),
            output_fields: vec!["count(*)".to_owned()],
            consistency: 0,
        };
        let answer: proto::Rows = self.ask_settled(method::QUERY, question).await?;
        let mut fields = answer
            .fields
            .iter()
            .filter_map(|field| field.scalars.as_ref()?.long.as_ref());
        let count = fields.find_map(|numbers| numbers.data.first().copied());
        let count = count.and_then(|count| u64::try_from(count).ok());
        count.ok_or_else(|| Trouble::Refused(format!("it does not count the rows of {}", of.told())))
    }

    /// All its collections, each with its rows, which are known of those that are loaded. Side by side: an exact count waits for the next
    /// tick of the server's clock.
    pub(super) async fn rows_of_all(&self) -> Result<Vec<(Collection, Option<u64>)>, Trouble> {
        let collections = self.collections().await?;
        let counts = collections.iter().map(|collection| async move {
            if self.load_state(collection).await? == proto::LOADED {
                self.rows(collection).await.map(Some)
            } else {
                Ok(None)
            }
        });
        let counts: Result<Vec<_>, Trouble> = join_all(counts).await.into_iter().collect();
        Ok(collections.into_iter().zip(counts?).collect())
    }

    /// Has it store what it was sent, and waits until it has.
    pub(super) async fn flush(&self, of: &Collection) -> Result<(), Trouble> {
        let question = proto::Flush {
            database: of.database.clone(),
            collections: vec![of.name.clone()],
        };
        let flushed: proto::Flushed = self.ask_settled(method::FLUSH, question).await?;
        let question = proto::IsFlushed {
            segments: flushed
                .segments
                .get(&of.name)
                .map(|of| of.data.clone())
                .unwrap_or_default(),
            at: flushed.at.get(&of.name).copied().unwrap_or_default(),
            database: of.database.clone(),
            collection: of.name.clone(),
        };
        let began = self.cx.clock.elapsed();
        loop {
            let state: proto::FlushState = self.ask_settled(method::GET_FLUSH_STATE, question.clone()).await?;
            if state.is_flushed {
                return Ok(());
            }
            if self.cx.clock.elapsed().saturating_sub(began) > self.cx.idle_limit {
                return Err(Trouble::Refused(format!(
                    "it does not store what it was sent for {}",
                    of.told()
                )));
            }
            self.wait().await?;
        }
    }

    async fn wait(&self) -> Result<(), Trouble> {
        let wait = self.cx.clock.sleep(stillpoint_core::engine::limits::LOOK_EVERY);
        cancellable(self.cx, wait).await.map_err(Trouble::Store)
    }
}

/// What a server says, without the traces of its own calls.
fn words(said: &str) -> String {
    let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
    match last.split_once(": ") {
        Some((call, words)) if call.starts_with('/') => words.to_owned(),
        _ => last.to_owned(),
    }
}

async fn dial(
    reach: Arc<dyn Reach>,
    workload: WorkloadId,
    port: u16,
) -> Result<TokioIo<Box<dyn stillpoint_core::ports::ByteStream>>, stillpoint_core::ports::EngineError> {
    reach.dial(&workload, port).await.map(TokioIo::new)
}

/// Where questions go.
mod method {
    pub(super) const GET_VERSION: &str = "/milvus.proto.milvus.MilvusService/GetVersion";
    pub(super) const LIST_DATABASES: &str = "/milvus.proto.milvus.MilvusService/ListDatabases";
    pub(super) const SHOW_COLLECTIONS: &str = "/milvus.proto.milvus.MilvusService/ShowCollections";
    pub(super) const GET_LOAD_STATE: &str = "/milvus.proto.milvus.MilvusService/GetLoadState";
    pub(super) const QUERY: &str = "/milvus.proto.milvus.MilvusService/Query";
    pub(super) const FLUSH: &str = "/milvus.proto.milvus.MilvusService/Flush";
    pub(super) const GET_FLUSH_STATE: &str = "/milvus.proto.milvus.MilvusService/GetFlushState";
}

impl MilvusStore {
    /// The store's server.
    pub(super) async fn open<'a>(&self, cx: &'a Cx, config: &Config) -> Result<Session<'a>, StoreError> {
        let login = self.login(cx, config).await?;
        Session::of(cx, &self.workload, self.access.port(config), login.as_ref())
    }

    /// An error of the server, with what it was asked.
    pub(super) fn failed(&self, doing: &str, trouble: Trouble) -> StoreError {
        match trouble {
            Trouble::Store(error) => error,
            Trouble::Silent(cause) => StoreError::Silent {
                store: self.name.clone(),
                cause,
            },
            Trouble::Login(cause) => StoreError::Credential {
                store: self.name.clone(),
                user: self.access.user.clone(),
                cause,
                remedy: format!(
                    "set {variable} (or {variable}_FILE) to the password of `{user}`",
                    variable = self.access.variable,
                    user = self.access.user
                ),
            },
            Trouble::Denied(cause) => StoreError::Unfit(format!(
                "{}: {doing}: `{}` may not: {cause}: grant it, or set another user",
                self.name, self.access.user
            )),
            Trouble::Refused(cause) => StoreError::Server {
                doing: format!("{}: {doing}", self.name),
                cause: words(&cause).into(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_of_calls_are_not_told() {
        let said = "attempt #0: stack trace: /a/b.go:51 c.StackTrace\n/a/b.go:550 c.Call\n/a/d.go:116 c.Flush: attempt #0: no node";
        assert_eq!(words(said), "attempt #0: no node");
        assert_eq!(words("collection not found[x]"), "collection not found[x]");
        assert_eq!(words(""), "");
    }

    #[test]
    fn a_server_that_starts_is_waited_for() {
        for why in [
            "service not ready[rootcoord=1: Abnormal]",
            "proxy not healthy, StateCode=Initializing",
        ] {
            assert!(Trouble::Refused(why.into()).is_temporary(), "{why}");
        }
        assert!(Trouble::Silent("x".into()).is_temporary());
        assert!(!Trouble::Refused("collection not found".into()).is_temporary());
        for why in [
            "attempt #0: empty grpc client: failed to connect 172.27.0.5:21124, reason: context deadline exceeded: attempt #1: session \
             not found->datanode-2",
            "attempt #0: rpc error: code = Unknown desc = node not match[expectedNodeID=4][actualNodeID=5]",
        ] {
            assert!(Trouble::Refused(why.into()).is_settling(), "{why}");
        }
        assert!(!Trouble::Refused("collection not found".into()).is_settling());
        assert!(!Trouble::Login("auth check failure".into()).is_temporary());
        assert!(
            Trouble::Refused("request is rejected by grpc RateLimiter middleware, rate limit exceeded".into())
                .is_too_often()
        );
    }
}
