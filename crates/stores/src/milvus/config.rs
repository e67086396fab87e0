//! What a server was told: its configuration file, and the variables of its container, which win. Any setting can be a variable: its
//! name without dots and underscores, in whatever case (Milvus' documentation, "Configure Milvus with environment variables").
//!
//! Never here: what is done with it.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use stillpoint_core::names::WorkloadId;
use stillpoint_core::ports::Command;
use stillpoint_core::stores::{Cx, StoreError};
use stillpoint_core::workload::Environment;

use crate::toolbox::{Doing, collect};

/// Prints the server's file and what its operator has put beside it, which wins. An image without either has its defaults.
const READ: &str = r#"cd "${MILVUSCONF:-configs}" 2>/dev/null || exit 0
cat milvus.yaml 2>/dev/null || true
printf '\n%s\n' '--- # stillpoint'
cat user.yaml 2>/dev/null || true"#;

/// What [`READ`] prints between the files.
const BETWEEN: &str = "\n--- # stillpoint\n";

/// The settings of a server, by their flat names.
#[derive(Clone, Debug, Default)]
pub(super) struct Config {
    values: BTreeMap<String, SecretString>,
}

/// A bucket as the server knows it.
#[derive(Clone, Debug)]
pub(super) struct BucketAt {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) endpoint: String,
    pub(super) region: String,
    pub(super) bucket: String,
    pub(super) root: String,
    pub(super) access_key_id: SecretString,
    pub(super) secret_access_key: SecretString,
}

/// A key as the server compares it.
fn flat(name: &str) -> String {
    let kept = name.chars().filter(|char| !matches!(char, '.' | '_' | '/' | '-'));
    kept.collect::<String>().to_ascii_lowercase()
}

impl Config {
    /// Reads it in `place`: the server's container, or one beside it.
    pub(super) async fn read(cx: &Cx, place: &WorkloadId, environment: &Environment) -> Result<Self, StoreError> {
        let process = cx.shell.exec(place, Command::new(["sh", "-c", READ])).await?;
        let doing = Doing {
            what: "reading the server's configuration",
            tool: "sh",
        };
        Self::of(&collect(cx, doing, process).await?, environment)
    }

    fn of(files: &str, environment: &Environment) -> Result<Self, StoreError> {
        let mut config = Self::default();
        for file in files.split(BETWEEN) {
            if file.trim().is_empty() {
                continue;
            }
            let parsed = serde_saphyr::from_str::<Value>(file);
            let parsed = parsed
                .map_err(|error| StoreError::Unfit(format!("the server's configuration cannot be read: {error}")))?;
            config.add("", &parsed);
        }
        config.add_variables(environment);
        Ok(config)
    }

    /// What the variables alone say.
    pub(super) fn told(environment: &Environment) -> Self {
        let mut config = Self::default();
        config.add_variables(environment);
        config
    }

    fn add_variables(&mut self, environment: &Environment) {
        for (name, value) in environment.iter() {
            self.values.insert(flat(name), value.clone());
        }
    }

    fn add(&mut self, path: &str, value: &Value) {
        let text = match value {
            Value::Object(settings) => {
                for (name, value) in settings {
                    self.add(&format!("{path}.{name}"), value);
                }
                return;
            }
            Value::Array(items) => {
                let items = items.iter().map(plain);
                items.collect::<Vec<_>>().join(",")
            }
            other => plain(other),
        };
        self.values.insert(flat(path), SecretString::from(text));
    }

    fn secret(&self, name: &str) -> Option<SecretString> {
        let found = self.values.get(&flat(name))?;
        let is_set = !found.expose_secret().is_empty();
        is_set.then(|| found.clone())
    }

    /// A setting as a text, or what it is where nobody sets it.
    pub(super) fn text(&self, name: &str, otherwise: &str) -> String {
        let found = self.secret(name);
        found.map_or_else(|| otherwise.to_owned(), |found| found.expose_secret().trim().to_owned())
    }

    pub(super) fn is_on(&self, name: &str) -> bool {
        self.text(name, "false").eq_ignore_ascii_case("true")
    }

    pub(super) fn number(&self, name: &str, otherwise: u64) -> u64 {
        self.text(name, "").parse().unwrap_or(otherwise)
    }

    /// The folder in which its queue keeps what is not in the bucket yet, and its index.
    pub(super) fn queue_folders(&self) -> [String; 2] {
        let folder = self.text("rocksmq.path", "/var/lib/milvus/rdb_data");
        let folder = folder.trim_end_matches('/').to_owned();
        [format!("{folder}_meta_kv"), folder]
    }

    /// The addresses of its etcd.
    pub(super) fn etcd(&self) -> Vec<(String, u16)> {
        let endpoints = self.text("etcd.endpoints", "localhost:2379");
        let endpoints = endpoints.split(',').map(|endpoint| address(endpoint.trim(), 2379));
        endpoints.collect()
    }

    /// What its keys begin with, with the slash at the end.
    pub(super) fn etcd_root(&self) -> String {
        format!("{}/", self.text("etcd.rootPath", "by-dev").trim_matches('/'))
    }

    /// Below which its metadata lies, with the slash at the end.
    pub(super) fn meta(&self) -> String {
        format!(
            "{}{}/",
            self.etcd_root(),
            self.text("etcd.metaSubPath", "meta").trim_matches('/')
        )
    }

    /// Below which its allocators lie, with the slash at the end.
    pub(super) fn allocators(&self) -> String {
        format!(
            "{}{}/gid/",
            self.etcd_root(),
            self.text("etcd.kvSubPath", "kv").trim_matches('/')
        )
    }

    /// Its bucket.
    pub(super) fn bucket(&self) -> BucketAt {
        let told = self.text("minio.address", "localhost");
        let port = u16::try_from(self.number("minio.port", 9000)).unwrap_or(9000);
        let (host, port) = address(&told, port);
        let scheme = if self.is_on("minio.useSSL") { "https" } else { "http" };
        let key = |name: &str| self.secret(name).unwrap_or_else(|| SecretString::from("minioadmin"));
        BucketAt {
            endpoint: format!("{scheme}://{host}:{port}"),
            host,
            port,
            region: self.text("minio.region", "us-east-1"),
            bucket: self.text("minio.bucketName", "a-bucket"),
            root: self.text("minio.rootPath", "files").trim_matches('/').to_owned(),
            access_key_id: key("minio.accessKeyID"),
            secret_access_key: key("minio.secretAccessKey"),
        }
    }

    /// Why a server that was told this cannot be copied; empty if it can.
    pub(super) fn unfit(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.is_on("etcd.use.embed") || self.is_on("etcd.embed") {
            reasons.push(
                "it runs its etcd inside itself (etcd.use.embed): a restore would have nobody to give the metadata to; run etcd as a \
                 container of its own"
                    .to_owned(),
            );
        }
        if self.is_on("etcd.ssl.enabled") || self.is_on("etcd.auth.enabled") {
            reasons
                .push("its etcd wants certificates or a login (etcd.ssl, etcd.auth): that is not supported".to_owned());
        }
        let storage = self.text("common.storageType", "remote");
        if !["minio", "remote"].contains(&storage.as_str()) {
            reasons.push(format!(
                "it keeps its segments in `{storage}` storage (common.storageType), and only a bucket is supported: minio or remote"
            ));
        }
        let queue = self.text("mq.type", "default");
        if !["default", "rocksmq"].contains(&queue.as_str()) {
            reasons.push(format!(
                "its queue is `{queue}` (mq.type): only the embedded one, rocksmq, can be emptied for a restore"
            ));
        }
        if self.is_on("minio.useIAM") {
            reasons.push("it reaches its bucket without a key (minio.useIAM): that is not supported".to_owned());
        }
        if self.number("common.security.tlsMode", 0) != 0 {
            reasons.push("it wants TLS of its clients (common.security.tlsMode): that is not supported".to_owned());
        }
        reasons
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A host and a port, whether or not the text names a scheme or a port.
fn address(told: &str, port: u16) -> (String, u16) {
    let told = told
        .split_once("://")
        .map_or(told, |(_, rest)| rest)
        .trim_end_matches('/');
    match told.rsplit_once(':') {
        Some((host, number)) if number.parse::<u16>().is_ok() => (host.to_owned(), number.parse().unwrap_or(port)),
        _ => (told.to_owned(), port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(files: &str, variables: &[(&str, &str)]) -> Config {
        let variables = variables.iter().map(|(name, value)| format!("{name}={value}"));
        Config::of(files, &Environment::parse(variables)).unwrap()
    }

    const FILE: &str = "etcd:\n  endpoints:\n    - a:2379\n    - b:2380\n  rootPath: mine # a word\nminio:\n  address: store\n  \
        port: 9001\n  bucketName: vectors\n  rootPath: \"\"\nmq:\n  type: default\n";

    #[test]
    fn files_are_read_and_variables_win() {
        let files = format!("{FILE}{BETWEEN}minio:\n  bucketName: others\n");
        let found = config(
            &files,
            &[("MINIO_SECRET_ACCESS_KEY", "s3cret"), ("minio.rootPath", "data/x")],
        );
        assert_eq!(found.etcd(), [("a".to_owned(), 2379), ("b".to_owned(), 2380)]);
        assert_eq!(found.meta(), "mine/meta/");
        let bucket = found.bucket();
        assert_eq!((bucket.bucket.as_str(), bucket.root.as_str()), ("others", "data/x"));
        assert_eq!(bucket.endpoint, "http://store:9001");
        assert_eq!(bucket.secret_access_key.expose_secret(), "s3cret");
        assert!(found.unfit().is_empty());
    }

    #[test]
    fn nothing_told_is_what_the_image_does() {
        let found = config("", &[("MINIO_ADDRESS", "minio:9000"), ("ETCD_ENDPOINTS", "etcd:2379")]);
        assert_eq!(found.bucket().endpoint, "http://minio:9000");
        assert_eq!(found.etcd(), [("etcd".to_owned(), 2379)]);
        assert_eq!(found.etcd_root(), "by-dev/");
        assert_eq!(found.allocators(), "by-dev/kv/gid/");
        assert_eq!(
            found.queue_folders(),
            ["/var/lib/milvus/rdb_data_meta_kv", "/var/lib/milvus/rdb_data"]
        );
    }

    #[test]
    fn what_cannot_be_copied_is_told_at_once() {
        let told = [
            ("ETCD_USE_EMBED", "true"),
            ("COMMON_STORAGETYPE", "local"),
            ("MQ_TYPE", "pulsar"),
            ("COMMON_SECURITY_TLSMODE", "2"),
        ];
        let reasons = config("", &told).unfit().join("\n");
        for word in ["etcd.use.embed", "common.storageType", "pulsar", "tlsMode"] {
            assert!(reasons.contains(word), "{word} in {reasons}");
        }
    }

    #[test]
    fn a_file_that_is_none_is_told() {
        let told = Config::of("a: [1, 2", &Environment::parse([])).unwrap_err().to_string();
        assert!(told.contains("configuration"), "{told}");
    }
}
