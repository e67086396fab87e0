//! The bucket and the way there.

use stillpoint_adapters::repository::s3::S3Settings;

use super::key::{Fallback, Key, Shape};
use super::origin::Origin;
use super::settings::{Found, Settings};
use crate::failure::Failure;

/// The owner's keys.
pub(super) const KEYS: [Key; 11] = [
    ENDPOINT,
    REGION,
    BUCKET,
    PREFIX,
    KEY_ID,
    SECRET_KEY,
    CA_FILE,
    PATH_STYLE,
    CREATE_BUCKET,
    CONDITIONAL,
    PART,
];

/// What makes the repository one in S3, as [`TABLE`] does. The other variables alone do not: `BACKUP_S3_BUCKET`
/// may be set for others.
const DECISIVE: [Key; 3] = [ENDPOINT, KEY_ID, SECRET_KEY];

/// In MiB. A part is gathered in memory.
const LARGEST_PART: u32 = 512;

/// Whoever writes it into `stillpoint.toml` wants a bucket, whatever is missing there.
const TABLE: &str = "repository.s3";

const fn key(path: &'static str, variable: &'static str, shape: Shape, fallback: Fallback, about: &'static str) -> Key {
    Key {
        path,
        variable,
        flag: None,
        shape,
        fallback,
        about,
    }
}

const ENDPOINT: Key = key(
    "repository.s3.endpoint",
    "BACKUP_S3_ENDPOINT",
    Shape::Text,
    Fallback::Words("Amazon's own of the region"),
    "Where the server listens, as a URL; it may name a service of the platform.",
);

const REGION: Key = key(
    "repository.s3.region",
    "BACKUP_S3_REGION",
    Shape::Text,
    Fallback::Value("us-east-1"),
    "The region, which is part of every signature.",
);

const BUCKET: Key = key(
    "repository.s3.bucket",
    "BACKUP_S3_BUCKET",
    Shape::Text,
    Fallback::Value("backups"),
    "The bucket.",
);

const PREFIX: Key = key(
    "repository.s3.prefix",
    "BACKUP_S3_PREFIX",
    Shape::Text,
    Fallback::Words("the platform's name"),
    "The directory in the bucket that is the repository; `/` for the bucket itself.",
);

const KEY_ID: Key = key(
    "repository.s3.access_key_id",
    "BACKUP_S3_ACCESS_KEY_ID",
    Shape::Secret,
    Fallback::Words("none"),
    "Who we are.",
);

const SECRET_KEY: Key = key(
    "repository.s3.secret_access_key",
    "BACKUP_S3_SECRET_ACCESS_KEY",
    Shape::Secret,
    Fallback::Words("none"),
    "The proof of it.",
);

const CA_FILE: Key = key(
    "repository.s3.ca_file",
    "BACKUP_S3_CA_FILE",
    Shape::Path,
    Fallback::Words("the usual authorities alone"),
    "A file of certificates (PEM) of authorities that vouch for the server, too.",
);

const PATH_STYLE: Key = key(
    "repository.s3.path_style",
    "BACKUP_S3_PATH_STYLE",
    Shape::Switch,
    Fallback::Value("true"),
    "The bucket stands in the path; `false`: in the host's name.",
);

const CREATE_BUCKET: Key = key(
    "repository.s3.create_bucket",
    "BACKUP_S3_CREATE_BUCKET",
    Shape::Switch,
    Fallback::Value("true"),
    "A bucket that is missing is made.",
);

const CONDITIONAL: Key = key(
    "repository.s3.conditional_writes",
    "BACKUP_S3_CONDITIONAL_WRITES",
    Shape::Switch,
    Fallback::Value("true"),
    "The server honours `If-None-Match` and `If-Match`; `false`: nothing keeps two writers apart.",
);

const PART: Key = key(
    "repository.s3.part_mib",
    "BACKUP_S3_PART_MIB",
    Shape::Number { unit: "MiB", least: 5 },
    Fallback::Value("5"),
    "The size of the parts in which large artifacts are sent; 5,000 of them are equal, later ones larger. More than 5 is memory \
     beside the 16 MiB of all uploads.",
);

/// What makes the repository one in S3, and the number of its layer; none if it is none.
pub(super) fn decisive(settings: &Settings) -> Option<(usize, &Origin)> {
    let ranked = DECISIVE.iter().filter_map(|key| settings.ranked(key.variable));
    let ranked = ranked.map(|(rank, found)| (rank, &found.origin));
    ranked.chain(settings.table(TABLE)).min_by_key(|(rank, _)| *rank)
}

/// Anything that is set of a bucket.
pub(super) fn any(settings: &Settings) -> Option<&Found> {
    KEYS.iter().find_map(|key| settings.found(key.variable))
}

/// The bucket, and the prefix if there is one. `prefix` of the result is empty. A repository that `decisive`
/// makes one in S3 and that nobody could write is refused here.
pub(super) fn read(settings: &Settings, decisive: &Origin) -> Result<(S3Settings, Option<String>), Failure> {
    let (access_key_id, secret_access_key) = (settings.secret(&KEY_ID), settings.secret(&SECRET_KEY));
    if access_key_id.is_none() || secret_access_key.is_none() {
        return Err(keyless(settings, decisive));
    }
    let bucket = S3Settings {
        endpoint: endpoint(settings)?,
        region: settings.text_or_default(&REGION),
        bucket: settings.text_or_default(&BUCKET),
        prefix: String::new(),
        access_key_id,
        secret_access_key,
        ca_file: settings.text(&CA_FILE).map(Into::into),
        path_style: settings.switch(&PATH_STYLE)?,
        create_bucket: settings.switch(&CREATE_BUCKET)?,
        conditional_writes: settings.switch(&CONDITIONAL)?,
        part: part(settings)?,
    };
    let prefix = settings.text(&PREFIX).map(|prefix| prefix.trim_matches('/').to_owned());
    Ok((bucket, prefix))
}

/// In bytes.
fn part(settings: &Settings) -> Result<usize, Failure> {
    let mib: u32 = settings.number(&PART)?;
    if mib > LARGEST_PART {
        return Err(settings.refuse(&PART, format!("{mib} MiB is too much: {LARGEST_PART} is the most")));
    }
    Ok((mib as usize) << 20)
}

fn keyless(settings: &Settings, decisive: &Origin) -> Failure {
    let lacks = |key: &&Key| settings.found(key.variable).is_none();
    let missing: Vec<String> = [&KEY_ID, &SECRET_KEY].into_iter().filter(lacks).map(named).collect();
    let endpoint = if lacks(&&ENDPOINT) {
        format!(", nor is {}, without which the server is Amazon's", named(&ENDPOINT))
    } else {
        String::new()
    };
    Failure::usage(
        format!(
            "{} makes the repository one in S3, but {} not set{endpoint}",
            decisive.subject(),
            match &missing[..] {
                [one] => format!("{one} is"),
                both => format!("{} are", both.join(" and ")),
            }
        ),
        "set what is missing; where the backups are to go to a directory, remove [repository.s3] and BACKUP_S3_*",
    )
}

fn named(key: &Key) -> String {
    let name = key.path.rsplit('.').next().unwrap_or(key.path);
    format!("`{name}` ({})", key.variable)
}

/// The endpoint. One that holds credentials is refused without showing it: it would stand in logs.
fn endpoint(settings: &Settings) -> Result<Option<String>, Failure> {
    let Some(url) = settings.text(&ENDPOINT) else {
        return Ok(None);
    };
    if url.contains('@') {
        let problem = "it holds credentials, which belong to BACKUP_S3_ACCESS_KEY_ID and BACKUP_S3_SECRET_ACCESS_KEY";
        return Err(settings.refuse(&ENDPOINT, problem));
    }
    if url.starts_with("http://") || url.starts_with("https://") {
        return Ok(Some(url));
    }
    Err(settings.refuse(&ENDPOINT, format!("`{url}` begins with neither http:// nor https://")))
}
