//! Every method of the repository with everything that can go wrong on the wire: it does what it was
//! asked to, to the byte, or says that it did not; and after a sweep no upload is left. All cases run
//! side by side, each with a proxy and a prefix of its own: most of their time they wait.

use std::fmt;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;
use futures::future::join_all;
use stillpoint_adapters::repository::s3::{S3Repository, S3Settings};
use stillpoint_core::ports::{Key, Repository, RepositoryError};
use stillpoint_testkit::s3_proxy::{Match, Rule, S3Proxy, What};

use crate::server;

/// More than one part.
const LARGE: usize = 9 << 20;

/// Longer than any case takes: nothing waits for ever.
const LIMIT: Duration = Duration::from_mins(4);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Create,
    Replace,
    UploadSmall,
    UploadLarge,
    Open,
    List,
    Directories,
    Clock,
    Sweep,
    Delete,
}

const METHODS: [Method; 10] = [
    Method::Create,
    Method::Replace,
    Method::UploadSmall,
    Method::UploadLarge,
    Method::Open,
    Method::List,
    Method::Directories,
    Method::Clock,
    Method::Sweep,
    Method::Delete,
];

/// What goes wrong, how often (none: for ever), and whether it must be got over.
type Fault = (&'static str, What, Option<usize>, bool);

fn faults() -> Vec<Fault> {
    let refusal = |code, s3_code| What::Status { code, s3_code };
    vec![
        ("dropped", What::Drop, Some(1), true),
        ("answer lost", What::DropAfter, Some(1), true),
        ("500", refusal(500, "InternalError"), Some(1), true),
        ("503", refusal(503, "SlowDown"), Some(1), true),
        (
            "slow",
            What::Slow {
                bytes_per_second: 4 << 20,
            },
            None,
            true,
        ),
        ("request cut", What::CutRequest { after: 100 }, Some(1), true),
        ("answer cut", What::CutBody { after: 100 }, Some(1), true),
        ("500 for ever", refusal(500, "InternalError"), None, false),
        ("dropped for ever", What::Drop, None, false),
        ("403", refusal(403, "AccessDenied"), None, false),
        ("expired", refusal(403, "ExpiredToken"), None, false),
        ("another ETag", What::WrongETag, Some(1), false),
        ("hang", What::Hang, Some(1), false),
    ]
}

struct Case {
    method: Method,
    fault: &'static str,
    /// Past the proxy.
    direct: S3Repository,
    through: S3Repository,
    proxy: S3Proxy,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} with {}", self.method, self.fault)
    }
}

fn key() -> Key {
    Key::found("2026-01-01_03-00-00/object")
}

fn content(method: Method) -> Bytes {
    let length = if method == Method::UploadLarge { LARGE } else { 2000 };
    (0..=250_u8).cycle().take(length).collect()
}

fn old() -> Bytes {
    Bytes::from_static(b"what was there before")
}

async fn read(repository: &S3Repository) -> Result<Option<Bytes>, RepositoryError> {
    match repository.open(&key()).await {
        Ok(object) => {
            let whole: BytesMut = object.content.try_collect().await?;
            Ok(Some(whole.freeze()))
        }
        Err(RepositoryError::Missing { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Case {
    async fn prepare(method: Method, (fault, what, times, _): &Fault) -> Result<Self> {
        let settings = server::settings()?;
        let proxy = S3Proxy::start(server::start()?)?;
        let by_proxy = S3Settings {
            endpoint: Some(proxy.endpoint()),
            ..settings.clone()
        };
        let case = Self {
            method,
            fault,
            direct: S3Repository::open(&settings, None).await?,
            through: S3Repository::open(&by_proxy, None).await?,
            proxy,
        };
        if matches!(
            method,
            Method::Replace | Method::Open | Method::List | Method::Directories | Method::Delete
        ) {
            case.direct.create(&key(), old()).await?;
        }
        if method == Method::Sweep {
            // Dropped without an end, as by a death: at least one part was sent.
            let mut upload = case.direct.upload(&key()).await?;
            upload.write(content(Method::UploadLarge)).await?;
        }
        let when = Match {
            times: *times,
            ..Match::default()
        };
        case.proxy.fault(Rule::new(when, what.clone()));
        Ok(case)
    }

    /// What was asked for; what was read is compared.
    async fn act(&self) -> Result<(), RepositoryError> {
        let wrong = |cause: &str| RepositoryError::Missing {
            key: format!("WRONG: {cause}"),
        };
        match self.method {
            Method::Create => self.through.create(&key(), content(self.method)).await.map(drop),
            Method::Replace => {
                let was = self.direct.open(&key()).await?.version;
                self.through.replace(&key(), content(self.method), &was).await.map(drop)
            }
            Method::UploadSmall | Method::UploadLarge => {
                let mut upload = self.through.upload(&key()).await?;
                if let Err(error) = upload.write(content(self.method)).await {
                    drop(upload.abort().await);
                    return Err(error);
                }
                upload.complete().await
            }
            Method::Open => match read(&self.through).await? {
                Some(bytes) if bytes == old() => Ok(()),
                other => Err(wrong(&format!("{other:?}"))),
            },
            Method::List => match self.through.list(None).await? {
                found if found.len() == 1 && found[0].key == key() => Ok(()),
                other => Err(wrong(&format!("{other:?}"))),
            },
            Method::Directories => match self.through.directories().await? {
                found if found == ["2026-01-01_03-00-00"] => Ok(()),
                other => Err(wrong(&format!("{other:?}"))),
            },
            Method::Clock => self.through.clock().await.map(drop),
            Method::Sweep => self.through.sweep("2026-01-01_03-00-00").await,
            Method::Delete => self.through.delete(&key()).await,
        }
    }

    /// Past the proxy: what was said is what is so.
    async fn check(&self, succeeded: bool) -> Result<()> {
        self.proxy.clear();
        let there = read(&self.direct).await?;
        let new = Some(content(self.method));
        let as_said = match self.method {
            Method::Create | Method::UploadSmall | Method::UploadLarge | Method::Replace if succeeded => there == new,
            // An answer that never came: it may be there, but never half.
            Method::Create | Method::UploadSmall | Method::UploadLarge => there.is_none() || there == new,
            Method::Replace => there == Some(old()) || there == new,
            Method::Delete if succeeded => there.is_none(),
            Method::Delete => there.is_none() || there == Some(old()),
            Method::Open | Method::List | Method::Directories => there == Some(old()),
            Method::Clock | Method::Sweep => there.is_none(),
        };
        ensure!(
            as_said,
            "it {}, but there is {} bytes",
            if succeeded { "succeeded" } else { "failed" },
            there.map_or(0, |there| there.len())
        );
        self.direct.sweep("2026-01-01_03-00-00").await?;
        Ok(())
    }
}

async fn tried(method: Method, fault: Fault) -> Result<()> {
    let got_over = fault.3;
    let case = Case::prepare(method, &fault).await?;
    let acted = tokio::time::timeout(LIMIT, case.act()).await;
    let Ok(outcome) = acted else {
        bail!("{case}: it waits for ever");
    };
    match &outcome {
        Err(RepositoryError::Missing { key }) => bail!("{case}: {key}"),
        Err(error) if got_over => bail!("{case}: not got over: {error}"),
        _ => {}
    }
    case.check(outcome.is_ok()).await.with_context(|| case.to_string())
}

async fn with_all(methods: &[Method]) -> Result<()> {
    let cases = methods
        .iter()
        .flat_map(|method| faults().into_iter().map(move |fault| tried(*method, fault)));
    let failed: Vec<String> = join_all(cases)
        .await
        .into_iter()
        .filter_map(|outcome| outcome.err().map(|error| format!("{error:#}")))
        .collect();
    ensure!(failed.is_empty(), "{}", failed.join("\n"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_method_succeeds_or_fails_cleanly_whatever_happens_on_the_wire() -> Result<()> {
    with_all(&METHODS).await
}
