//! The format of servers before 2.15: a tar of the stream's own files (nats-server 2.14,
//! `server/filestore.go`, `streamSnapshot`): `meta.inf` and `meta.sum`, `msgs/N.blk`, and
//! `obs/<consumer>/{meta.inf,meta.sum,o.dat}`. Each part is read to its end; messages lie in the
//! server's own blocks and are not counted.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::super::tar::{Tar, TarEntry};
use super::{Counted, Format, damaged};

const META: &str = "meta.inf";
const SUM: &str = "meta.sum";

/// More than the configuration of any stream has.
const LARGEST_META: u64 = 16 << 20;

/// Reads the tar and what follows it.
pub(super) async fn read<R>(plain: R) -> io::Result<Counted>
where
    R: AsyncRead + Send + Unpin + 'static,
{
    let mut tar = Tar::new(plain)?;
    let mut found = BTreeSet::new();
    while let Some(entry) = tar.next().await? {
        found.insert(read_entry(entry).await?);
    }
    tar.end().await?;
    complete(&found)?;
    let consumers = found.iter().filter_map(|name| consumer(name)).map(ToOwned::to_owned);
    Ok(Counted {
        format: Format::Tar,
        consumers: consumers.collect(),
        copied: BTreeMap::new(),
        messages: None,
    })
}

async fn read_entry<R: AsyncRead + Unpin>(mut entry: TarEntry<R>) -> io::Result<String> {
    let name = String::from_utf8_lossy(&entry.path_bytes()?).into_owned();
    if name.ends_with(META) {
        let mut text = Vec::new();
        (&mut entry).take(LARGEST_META).read_to_end(&mut text).await?;
        let _: Value = serde_json::from_slice(&text).map_err(|error| damaged(format!("`{name}`: {error}")))?;
    }
    tokio::io::copy(&mut entry, &mut tokio::io::sink()).await?;
    Ok(name)
}

fn complete(found: &BTreeSet<String>) -> io::Result<()> {
    for needed in [META, SUM] {
        if !found.contains(needed) {
            return Err(damaged(format!("it holds no {needed}")));
        }
    }
    let torn = found.iter().filter_map(|name| consumer(name)).find(|name| {
        let part = |part: &str| found.contains(&format!("obs/{name}/{part}"));
        !(part(META) && part(SUM))
    });
    match torn {
        None => Ok(()),
        Some(name) => Err(damaged(format!("consumer `{name}` is not whole"))),
    }
}

fn consumer(name: &str) -> Option<&str> {
    name.strip_prefix("obs/")?.split_once('/').map(|(consumer, _)| consumer)
}
