//! The requests that `object_store` has no call for: is there a bucket, make it, what time is it,
//! which uploads are unfinished. Signed by `object_store`'s own authorizer, over the same wire.

use http::{HeaderMap, Method, StatusCode, header};
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use object_store::aws::{AwsAuthorizer, AwsCredential};
use object_store::client::{HttpClient, HttpRequest};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use stillpoint_core::ports::RepositoryError;

use super::limits;
use super::request_error::RequestError;

/// What a signature leaves as it is (RFC 3986, "unreserved").
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

const PATH: AsciiSet = ESCAPED.remove(b'/');

/// Where Amazon's own service tells which region a bucket lies in.
const REGION: &str = "x-amz-bucket-region";

/// The region whose buckets are made without naming it.
const DEFAULT_REGION: &str = "us-east-1";

/// A bucket as a whole.
#[derive(Debug)]
pub(super) struct Bucket {
    pub(super) client: HttpClient,
    pub(super) credential: AwsCredential,
    pub(super) region: String,
    pub(super) name: String,
    /// Its URL, without a slash at its end.
    pub(super) url: String,
}

/// An upload that was begun and neither completed nor aborted.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Unfinished {
    pub(super) key: String,
    pub(super) upload_id: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    #[serde(default, rename = "Upload")]
    uploads: Vec<Unfinished>,
    #[serde(default)]
    is_truncated: bool,
    #[serde(default)]
    next_key_marker: String,
    #[serde(default)]
    next_upload_id_marker: String,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn trouble(&self) -> RequestError {
        RequestError::answer(self.status.as_u16(), &self.body)
    }
}

impl Bucket {
    /// Finds the bucket, or makes it if it is missing and `create` says so. Asking comes first: some
    /// servers make a bucket of any name when something is written into it, also of a mistyped one.
    pub(super) async fn find(&self, create: bool) -> Result<(), RepositoryError> {
        let answer = self.ask(Method::HEAD, "", &[], String::new()).await;
        let answer = answer.map_err(|trouble| self.failed(trouble))?;
        match answer.status {
            status if status.is_success() => Ok(()),
            StatusCode::NOT_FOUND if create => self.make().await,
            StatusCode::NOT_FOUND => Err(self.missing(", and it may not be made".into())),
            _ => Err(self.refused(&answer).await),
        }
    }

    async fn make(&self) -> Result<(), RepositoryError> {
        let body = match self.region.as_str() {
            DEFAULT_REGION | "" => String::new(),
            region => format!(
                "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
                 <LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
            ),
        };
        let answer = self.ask(Method::PUT, "", &[], body).await;
        let answer = answer.map_err(|trouble| self.failed(trouble))?;
        // Made by another run a moment ago, or by our own try whose answer was lost.
        if answer.status.is_success() || answer.body.contains("BucketAlreadyOwnedByYou") {
            return Ok(());
        }
        Err(self.missing(format!(", and making it was refused: {}", answer.trouble())))
    }

    fn missing(&self, why: String) -> RepositoryError {
        let bucket = self.name.clone();
        RepositoryError::NoBucket { bucket, why }
    }

    /// A refusal of HEAD has no words: a request that may have a body is refused with them.
    async fn refused(&self, head: &Answer) -> RepositoryError {
        if let Some(region) = head.header(REGION).filter(|region| *region != self.region) {
            return self.failed(RequestError::Other(format!(
                "the bucket lies in the region {region}, not in {}: set BACKUP_S3_REGION={region}",
                self.region
            )));
        }
        let query = [("list-type", "2"), ("max-keys", "1")];
        match self.ask(Method::GET, "", &query, String::new()).await {
            Ok(answer) if answer.status.is_success() => self.failed(head.trouble()),
            Ok(answer) => self.failed(answer.trouble()),
            Err(trouble) => self.failed(trouble),
        }
    }

    /// What a failure of the whole bucket means.
    pub(super) fn failed(&self, trouble: RequestError) -> RepositoryError {
        trouble.at(&self.name, &self.name)
    }

    /// The server's own clock.
    pub(super) async fn clock(&self) -> Result<Timestamp, RepositoryError> {
        let answer = self.ask(Method::HEAD, "", &[], String::new()).await;
        let answer = answer.map_err(|trouble| self.failed(trouble))?;
        let told = answer
            .header(header::DATE.as_str())
            .and_then(|date| rfc2822::parse(date).ok());
        match told {
            Some(now) => Ok(now.timestamp()),
            None => Err(self.failed(RequestError::Other("its answer does not tell the time".into()))),
        }
    }

    /// Whether a rule of the bucket's lifecycle removes old versions. Who may not ask is told no.
    pub(super) async fn forgets_versions(&self) -> bool {
        let answer = self.ask(Method::GET, "", &[("lifecycle", "")], String::new()).await;
        answer.is_ok_and(|answer| answer.status.is_success() && answer.body.contains("<NoncurrentVersionExpiration>"))
    }

    /// Removes the directories of an object that was deleted, from `directory` up to the one below
    /// `root`, as far as they hold nothing any more. To S3 there are none; `SeaweedFS` goes on to list
    /// them for minutes. Their key with a slash at its end names them, and removes none that holds
    /// something.
    pub(super) async fn tidy(&self, root: &str, directory: &str) -> Result<(), RequestError> {
        let mut directory = directory;
        while !directory.is_empty() && !self.holds(root, directory).await? {
            let path = format!("{root}{directory}/");
            let answer = self.ask(Method::DELETE, &path, &[], String::new()).await?;
            if !answer.status.is_success() && answer.status != StatusCode::NOT_FOUND {
                return Err(answer.trouble());
            }
            directory = directory.rsplit_once('/').map_or("", |(above, _)| above);
        }
        Ok(())
    }

    async fn holds(&self, root: &str, directory: &str) -> Result<bool, RequestError> {
        let prefix = format!("{root}{directory}/");
        let query = [("list-type", "2"), ("max-keys", "1"), ("prefix", &prefix)];
        let answer = self.ask(Method::GET, "", &query, String::new()).await?;
        if !answer.status.is_success() {
            return Err(answer.trouble());
        }
        Ok(answer.body.contains("<Contents>"))
    }

    /// Every unfinished upload below `prefix`, which ends with a slash or is empty.
    pub(super) async fn unfinished(&self, prefix: &str) -> Result<Vec<Unfinished>, RepositoryError> {
        let mut found = Vec::new();
        let (mut key, mut id) = (String::new(), String::new());
        loop {
            let page = self
                .page(prefix, &key, &id)
                .await
                .map_err(|trouble| self.failed(trouble))?;
            found.extend(page.uploads.into_iter().filter(|upload| upload.key.starts_with(prefix)));
            let stands_still = (&page.next_key_marker, &page.next_upload_id_marker) == (&key, &id);
            if !page.is_truncated || stands_still {
                return Ok(found);
            }
            (key, id) = (page.next_key_marker, page.next_upload_id_marker);
        }
    }

    async fn page(&self, prefix: &str, key: &str, id: &str) -> Result<Page, RequestError> {
        let mut query = vec![("uploads", ""), ("max-uploads", "1000"), ("prefix", prefix)];
        if !key.is_empty() {
            query.extend([("key-marker", key), ("upload-id-marker", id)]);
        }
        let answer = self.ask(Method::GET, "", &query, String::new()).await?;
        if !answer.status.is_success() {
            return Err(answer.trouble());
        }
        quick_xml::de::from_str(&answer.body).map_err(|cause| RequestError::Other(cause.to_string()))
    }

    /// Asks, and asks again if the server was not reached or could not answer.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: String,
    ) -> Result<Answer, RequestError> {
        let mut pause = limits::PAUSE;
        for _ in 1..limits::TRIES {
            match self.ask_once(method.clone(), path, query, body.clone()).await {
                Ok(answer) if !answer.trouble().is_passing() => return Ok(answer),
                Err(trouble) if !trouble.is_passing() => return Err(trouble),
                _ => tokio::time::sleep(pause.mul_f64(0.5 + rand::random::<f64>())).await,
            }
            pause *= 2;
        }
        self.ask_once(method, path, query, body).await
    }

    async fn ask_once(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: String,
    ) -> Result<Answer, RequestError> {
        let request = self.request(method, path, query, body)?;
        let answer = self.client.execute(request).await;
        let (parts, body) = answer.map_err(|error| RequestError::transport(&error))?.into_parts();
        let body = body.bytes().await.map_err(|error| RequestError::transport(&error))?;
        Ok(Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: String,
    ) -> Result<HttpRequest, RequestError> {
        let escaped = |text| utf8_percent_encode(text, ESCAPED);
        let pairs = query
            .iter()
            .map(|(name, value)| format!("{}={}", escaped(name), escaped(value)));
        let (sign, pairs) = (
            if query.is_empty() { "" } else { "?" },
            pairs.collect::<Vec<_>>().join("&"),
        );
        let slash = if path.is_empty() { "" } else { "/" };
        let path = utf8_percent_encode(path, &PATH);
        let url = format!("{}{slash}{path}{sign}{pairs}", self.url);
        let mut request = HttpRequest::new(body.into());
        *request.method_mut() = method;
        *request.uri_mut() = url
            .parse()
            .map_err(|cause| RequestError::Other(format!("{url}: {cause}")))?;
        let authorizer = AwsAuthorizer::new(&self.credential, "s3", &self.region);
        let signed = authorizer.try_authorize(&mut request, None);
        signed.map_err(|error| RequestError::of(&error))?;
        Ok(request)
    }
}
