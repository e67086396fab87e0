//! What tests of an S3 repository stand on must not lie either: the disposable server and the proxy in
//! front of it, each kind of fault seen by a client that is not the product.
//! Needs a Docker Engine and the images (`testbed/images/build.sh`).

use std::time::{Duration, Instant};

use anyhow::Result;
use futures::TryStreamExt;
use jiff::SignedDuration;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{
    Certificate, ClientOptions, Error, MultipartUpload, ObjectStore, ObjectStoreExt, PutMode, PutPayload, RetryConfig,
};
use stillpoint_testkit::s3_proxy::{Match, Rule, S3Proxy, What};
use stillpoint_testkit::seaweed::{self, Key, Seaweed};
use tokio_rustls::rustls::crypto::ring;

/// Longer than any answer takes, shorter than anyone wants to wait for none.
const LIMIT: Duration = Duration::from_secs(5);

fn client_with(endpoint: &str, key: Key, options: ClientOptions) -> Result<AmazonS3> {
    // An error says that another test of this process was first.
    let _ = ring::default_provider().install_default();
    let retry = RetryConfig {
        max_retries: 0,
        ..RetryConfig::default()
    };
    Ok(AmazonS3Builder::new()
        .with_endpoint(endpoint)
        .with_region(seaweed::REGION)
        .with_bucket_name(seaweed::BUCKET)
        .with_access_key_id(key.id)
        .with_secret_access_key(key.secret)
        .with_client_options(options.with_allow_http(true).with_timeout(LIMIT))
        .with_retry(retry)
        .build()?)
}

fn client(endpoint: &str, key: Key) -> Result<AmazonS3> {
    client_with(endpoint, key, ClientOptions::new())
}

/// A proxy before the shared server, a client behind the proxy, and a place of its own.
struct Wire {
    proxy: S3Proxy,
    client: AmazonS3,
    direct: AmazonS3,
    prefix: String,
}

impl Wire {
    fn new(test: &str) -> Result<Self> {
        let server = Seaweed::shared()?;
        let proxy = S3Proxy::start(&server.endpoint())?;
        Ok(Self {
            client: client(&proxy.endpoint(), seaweed::BACKUP)?,
            direct: client(&server.endpoint(), seaweed::BACKUP)?,
            prefix: seaweed::prefix(test)?,
            proxy,
        })
    }

    fn path(&self, name: &str) -> Path {
        Path::from(format!("{}/{name}", self.prefix))
    }

    fn fault(&self, method: &str, what: What) {
        let once = Match {
            times: Some(1),
            ..Match::of(method, &self.prefix)
        };
        self.proxy.fault(Rule::new(once, what));
    }

    async fn put(&self, name: &str, content: impl Into<PutPayload>) -> object_store::Result<()> {
        self.client.put(&self.path(name), content.into()).await.map(drop)
    }

    async fn get(&self, name: &str) -> object_store::Result<Vec<u8>> {
        let answer = self.client.get(&self.path(name)).await?;
        Ok(answer.bytes().await?.to_vec())
    }

    /// What the server has.
    async fn stored(&self, name: &str) -> object_store::Result<Vec<u8>> {
        let answer = self.direct.get(&self.path(name)).await?;
        Ok(answer.bytes().await?.to_vec())
    }
}

fn is_missing<T>(answer: &object_store::Result<T>) -> bool {
    matches!(answer, Err(Error::NotFound { .. }))
}

fn content(length: usize) -> Vec<u8> {
    (0..length)
        .map(|at| u8::try_from(at % 251).unwrap_or_default())
        .collect()
}

#[tokio::test]
async fn what_goes_through_the_proxy_comes_back_as_it_was_and_is_written_down() -> Result<()> {
    let wire = Wire::new("whole")?;
    let name = "we ird/ü+%20&=.bin";
    wire.put(name, content(300_000)).await?;
    assert_eq!(wire.get(name).await?, content(300_000));
    assert_eq!(wire.client.head(&wire.path(name)).await?.size, 300_000);
    let range = wire.client.get_range(&wire.path(name), 250..260).await?;
    assert_eq!(range, content(300_000)[250..260]);
    wire.put("empty", PutPayload::new()).await?;
    assert_eq!(wire.get("empty").await?, b"");
    let under: Vec<_> = wire.client.list(Some(&wire.path(""))).try_collect().await?;
    assert_eq!(under.len(), 2);
    wire.client.delete(&wire.path(name)).await?;
    assert!(is_missing(&wire.get(name).await));

    wire.proxy.wait_until(|seen| seen.iter().all(|one| one.ended), LIMIT)?;
    let seen = wire.proxy.seen();
    let lines: Vec<_> = seen
        .iter()
        .map(|one| (one.method.as_str(), one.status.unwrap_or(0), one.bytes_in))
        .collect();
    let deletion = seen[7].bytes_in;
    assert_eq!(
        lines,
        [
            ("PUT", 200, 300_000),
            ("GET", 200, 0),
            ("HEAD", 200, 0),
            ("GET", 206, 0),
            ("PUT", 200, 0),
            ("GET", 200, 0),
            ("GET", 200, 0),
            ("POST", 200, deletion),
            ("GET", 404, 0),
        ]
    );
    assert_eq!((seen[1].bytes_out, seen[3].bytes_out), (300_000, 10));
    assert!(seen[0].path.starts_with(&format!("/backups/{}/we", wire.prefix)));
    assert!(seen[6].query.contains("prefix="));
    Ok(())
}

#[tokio::test]
async fn a_dropped_request_never_arrives_and_a_dropped_answer_is_one_to_a_request_that_did() -> Result<()> {
    let wire = Wire::new("drop")?;
    wire.fault("PUT", What::Drop);
    assert!(wire.put("never", "x").await.is_err());
    assert!(is_missing(&wire.stored("never").await));
    wire.proxy.clear();

    wire.fault("PUT", What::DropAfter);
    assert!(wire.put("unknown", "x").await.is_err());
    assert_eq!(wire.stored("unknown").await?, b"x");
    let seen = wire.proxy.seen();
    assert_eq!((seen[1].status, &seen[1].fault), (None, &Some(What::DropAfter)));
    Ok(())
}

#[tokio::test]
async fn a_request_that_is_cut_stores_nothing() -> Result<()> {
    let wire = Wire::new("cut-request")?;
    wire.fault("PUT", What::CutRequest { after: 100_000 });
    assert!(wire.put("half", content(300_000)).await.is_err());
    assert!(is_missing(&wire.stored("half").await));
    assert_eq!(wire.proxy.seen()[0].bytes_in, 100_000);
    Ok(())
}

#[tokio::test]
async fn an_answer_that_is_cut_is_an_error_and_a_truncated_one_is_none() -> Result<()> {
    let wire = Wire::new("cut-body")?;
    wire.put("object", content(300_000)).await?;
    wire.fault("GET", What::CutBody { after: 100_000 });
    let answer = wire.client.get(&wire.path("object")).await?;
    let mut pieces = answer.into_stream();
    let mut length = 0;
    let broken = loop {
        match pieces.try_next().await {
            Ok(Some(piece)) => length += piece.len(),
            end => break end,
        }
    };
    assert!(broken.is_err(), "a cut answer ended well after {length} bytes");
    assert_eq!(length, 100_000);
    wire.proxy.clear();

    wire.fault("GET", What::Truncate { to: 100_000 });
    assert_eq!(wire.get("object").await?, content(300_000)[..100_000]);
    assert_eq!(wire.get("object").await?.len(), 300_000, "the rule acts once");
    Ok(())
}

#[tokio::test]
async fn one_bit_is_another_one() -> Result<()> {
    let wire = Wire::new("flip")?;
    wire.put("object", content(300_000)).await?;
    wire.fault("GET", What::FlipByte { at: 200_000 });
    let (damaged, mut expected) = (wire.get("object").await?, content(300_000));
    expected[200_000] ^= 1;
    assert!(damaged == expected);
    Ok(())
}

#[tokio::test]
async fn errors_of_s3_are_understood_and_the_server_never_hears_of_the_request() -> Result<()> {
    let wire = Wire::new("status")?;
    let errors = [
        (403, "AccessDenied"),
        (400, "ExpiredToken"),
        (403, "RequestTimeTooSkewed"),
        (500, "InternalError"),
        (503, "SlowDown"),
    ];
    for (code, s3_code) in errors {
        wire.fault("PUT", What::Status { code, s3_code });
        let said = wire.put("object", content(300_000)).await.unwrap_err().to_string();
        assert!(said.contains(s3_code) && said.contains(&code.to_string()), "{said}");
    }
    assert!(is_missing(&wire.stored("object").await));
    assert!(wire.proxy.seen().iter().all(|one| one.bytes_in == 300_000));
    Ok(())
}

#[tokio::test]
async fn a_delay_and_a_slow_wire_take_their_time() -> Result<()> {
    let wire = Wire::new("slow")?;
    let begun = Instant::now();
    wire.fault("PUT", What::Delay(Duration::from_millis(300)));
    wire.put("object", content(4096)).await?;
    assert!(begun.elapsed() >= Duration::from_millis(300));

    for method in ["PUT", "GET"] {
        let begun = Instant::now();
        let bytes_per_second = 8192;
        wire.fault(method, What::Slow { bytes_per_second });
        if method == "PUT" {
            wire.put("object", content(4096)).await?;
        } else {
            assert_eq!(wire.get("object").await?, content(4096));
        }
        assert!(begun.elapsed() >= Duration::from_millis(490));
        wire.proxy.clear();
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_hangs_gets_no_answer_and_ends_when_its_client_leaves() -> Result<()> {
    let wire = Wire::new("hang")?;
    let impatient = ClientOptions::new();
    let impatient = client_with(&wire.proxy.endpoint(), seaweed::BACKUP, impatient)?;
    wire.fault("PUT", What::Hang);
    let path = wire.path("object");
    let upload = tokio::spawn(async move { impatient.put(&path, "x".into()).await });
    let arrived = |seen: &[stillpoint_testkit::s3_proxy::Seen]| seen.iter().any(|one| one.bytes_in == 1);
    tokio::task::block_in_place(|| wire.proxy.wait_until(arrived, LIMIT))?;
    assert!(!wire.proxy.seen()[0].ended && !upload.is_finished());
    upload.abort();
    let _ = upload.await;
    tokio::task::block_in_place(|| wire.proxy.wait_until(|seen| seen[0].ended, LIMIT))?;
    assert_eq!(wire.proxy.seen()[0].status, None);
    assert!(is_missing(&wire.stored("object").await));
    Ok(())
}

#[tokio::test]
async fn etags_and_dates_can_lie() -> Result<()> {
    let wire = Wire::new("lies")?;
    let path = wire.path("object");
    wire.put("object", "x").await?;
    let truth = wire.client.head(&path).await?;
    wire.fault("HEAD", What::WrongETag);
    let lie = wire.client.head(&path).await?;
    assert_ne!(lie.e_tag, truth.e_tag);
    wire.proxy.clear();

    let by = SignedDuration::from_mins(-20);
    let everything = || Rule::new(Match::default(), What::WrongDate(by));
    wire.proxy.fault(everything());
    let listed: Vec<_> = wire.client.list(Some(&wire.path(""))).try_collect().await?;
    for lie in [wire.client.head(&path).await?, listed[0].clone()] {
        assert_eq!((truth.last_modified - lie.last_modified).num_minutes(), 20);
        assert_eq!(lie.e_tag, truth.e_tag);
    }
    wire.proxy.clear();
    wire.proxy.fault(Rule::new(Match::default(), What::WrongETag));
    let listed: Vec<_> = wire.client.list(Some(&wire.path(""))).try_collect().await?;
    assert_ne!(listed[0].e_tag, truth.e_tag);
    Ok(())
}

#[tokio::test]
async fn the_second_part_of_an_upload_fails_and_no_other_request() -> Result<()> {
    let wire = Wire::new("parts")?;
    let second = Match {
        nth: Some(2),
        times: Some(1),
        ..Match::upload_part()
    };
    wire.proxy.fault(Rule::new(
        second,
        What::Status {
            code: 503,
            s3_code: "SlowDown",
        },
    ));
    wire.put("object", "x").await?;
    let mut upload = wire.client.put_multipart(&wire.path("parts")).await?;
    upload.put_part(content(5 << 20).into()).await?;
    assert!(upload.put_part("end".into()).await.is_err());
    upload.abort().await?;
    let faults: Vec<_> = wire.proxy.seen().iter().map(|one| one.fault.is_some()).collect();
    assert_eq!(faults, [false, false, false, true, false]);
    assert!(is_missing(&wire.stored("parts").await));
    Ok(())
}

#[tokio::test]
async fn a_client_must_know_the_authority_of_the_certificate() -> Result<()> {
    let server = Seaweed::shared()?;
    let (proxy, authority) = S3Proxy::start_tls(&server.endpoint())?;
    let path = Path::from(format!("{}/object", seaweed::prefix("tls")?));

    let stranger = client(&proxy.endpoint(), seaweed::BACKUP)?;
    let refused = stranger.put(&path, "x".into()).await.unwrap_err();
    assert!(format!("{refused:?}").contains("UnknownIssuer"), "{refused:?}");
    assert_eq!(proxy.seen(), []);

    let certificate = Certificate::from_pem(&std::fs::read(authority)?)?;
    let options = ClientOptions::new().with_root_certificate(certificate);
    let friend = client_with(&proxy.endpoint(), seaweed::BACKUP, options)?;
    friend.put(&path, "x".into()).await?;
    assert_eq!(friend.get(&path).await?.bytes().await?, "x");
    Ok(())
}

#[tokio::test]
async fn each_key_may_do_what_it_is_for() -> Result<()> {
    let wire = Wire::new("keys")?;
    let endpoint = Seaweed::shared()?.endpoint();
    wire.put("object", "x").await?;
    let path = wire.path("object");
    let reader = client(&endpoint, seaweed::READ_ONLY)?;
    assert_eq!(reader.get(&path).await?.bytes().await?, "x");
    let refused = reader.put(&path, "y".into()).await.unwrap_err();
    assert!(matches!(refused, Error::PermissionDenied { .. }), "{refused}");
    let create = PutMode::Create.into();
    let taken = wire.client.put_opts(&path, "y".into(), create).await.unwrap_err();
    assert!(matches!(taken, Error::AlreadyExists { .. }), "{taken}");
    Ok(())
}

#[test]
fn a_server_of_ones_own_can_be_killed_started_again_and_held() -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    Seaweed::start()?.examined(|server| {
        let path = Path::from("object");
        let proxy = S3Proxy::start(&server.endpoint())?;
        let client = client(&proxy.endpoint(), seaweed::BACKUP)?;
        runtime.block_on(client.put(&path, "x".into()))?;
        server.kill()?;
        assert!(runtime.block_on(client.get(&path)).is_err());
        server.start_again()?;
        proxy.redirect(&server.endpoint())?;
        let found = runtime.block_on(async { client.get(&path).await?.bytes().await })?;
        assert_eq!(found, "x");

        server.pause()?;
        let held = runtime.block_on(client.get(&path)).unwrap_err();
        assert!(format!("{held:?}").contains("TimedOut"), "{held:?}");
        server.unpause()?;
        runtime.block_on(client.get(&path))?;
        Ok(())
    })
}

#[test]
fn the_shared_server_is_one_and_cannot_be_killed() -> Result<()> {
    let (one, other) = (Seaweed::shared()?, Seaweed::shared()?);
    assert_eq!(one.container(), other.container());
    assert!(one.kill().is_err() && one.pause().is_err() && other.remove().is_err());
    Ok(())
}

#[test]
fn a_full_disk_is_an_internal_error() -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    Seaweed::start_full_disk(32 << 20)?.examined(|server| {
        let client = client(&server.endpoint(), seaweed::BACKUP)?;
        let put = |number| {
            let path = Path::from(format!("object-{number}"));
            runtime.block_on(client.put(&path, content(4 << 20).into()))
        };
        let refused = (0..10).find_map(|number| put(number).err());
        let said = refused.map(|error| error.to_string()).unwrap_or_default();
        assert!(said.contains("500") && said.contains("InternalError"), "{said}");
        let stored = runtime.block_on(async { client.get(&Path::from("object-0")).await?.bytes().await })?;
        assert!(stored == content(4 << 20));
        Ok(())
    })
}
