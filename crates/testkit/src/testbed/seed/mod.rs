//! Data for the stores: always the same for the same scale. Seeding once and copying the volume is what makes fast tests fast.

mod neighbours;
mod template;

use std::fs;

use anyhow::{Context, Result};

use super::docker::{Docker, LONG};
use super::stores::Store;
use super::{beside, places};

pub(super) use template::copy_into;

/// What fills the store: of PostgreSQL everything in `testbed/seed/*.sql`, in order, as one script (the connections are switched inside
/// it); of DocumentDB its folder's script, of the others
/// `testbed/seed/<store>.sh` or `.py`.
fn script(store: Store) -> Result<String> {
    let folder = places::testbed().join("seed");
    let files = match store {
        Store::Postgres => {
            let entries = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
            let mut files = entries.map(|e| Ok(e?.path())).collect::<Result<Vec<_>>>()?;
            files.retain(|path| path.extension().is_some_and(|e| e == "sql"));
            files.sort();
            files
        }
        Store::Documentdb => vec![folder.join("documentdb/collections.sql")],
        Store::Valkey | Store::Nats | Store::Neo4j | Store::Clickhouse => {
            vec![folder.join(format!("{}.sh", store.name()))]
        }
        Store::Milvus => vec![folder.join("milvus.py")],
    };
    let texts = files
        .iter()
        .map(|path| fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display())));
    texts.collect()
}

/// Seeds the fresh store in a container. A second time fails: the data is there.
pub(super) fn seed(store: Store, container: &str, owner: &str, scale: u32) -> Result<()> {
    let call = match store {
        Store::Postgres | Store::Documentdb => psql(container, scale),
        Store::Valkey | Store::Nats | Store::Neo4j | Store::Clickhouse => {
            beside::call(container, owner, &[scale.to_string()])?
        }
        Store::Milvus => beside::python(container, owner, &[scale.to_string()])?,
    };
    call.input(script(store)?).run().map(drop).with_context(|| {
        format!(
            "cannot seed {} at scale {scale} (a store can be seeded once)",
            store.service()
        )
    })
}

fn psql(container: &str, scale: u32) -> Docker {
    let user = ["-u", "postgres"];
    Docker::new(["exec", "-i"])
        .args(user)
        .args([container, "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-v"])
        .args([format!("scale={scale}")])
        .limit(LONG)
}
