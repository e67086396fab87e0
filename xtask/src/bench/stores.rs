//! Stores that the classic script does not know, each large and by itself: backed up as it comes, and by the way with which it is
//! compared, on one platform in one run.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use stillpoint_testkit::testbed::{Event, Shape, Testbed};

use super::alone::{Alone, Run};
use super::downtime::downtime;
use super::tool::Kind;
use super::{report, say, usage};

/// 300 collections of 200 documents.
const COLLECTIONS: &str = "select count(documentdb_api.insert_one('large', 'c' || c, convert_to(c || '.' || n, 'UTF8'),
        convert_to(json_build_object('n', n, 'text', repeat(encode(sha256((c * 1000 + n)::text::bytea), 'hex'), 12))::text, 'UTF8')))
    from generate_series(1, 300) c, generate_series(1, 200) n";

struct Large {
    words: &'static str,
    shape: Shape,
    service: &'static str,
    volume: &'static str,
    /// A copy of its files is made in its volume. The volume of any other grows by what the server itself writes.
    is_copied_there: bool,
    lay: fn(&Testbed) -> Result<()>,
    /// The other way: in words, the mode, and what its operator sets.
    other: (&'static str, Kind, &'static [(&'static str, &'static str)]),
}

/// A gigabyte that does not compress, in parts that are not merged meanwhile: that takes more memory than the testbed's server
/// may use.
const GIGABYTE: &str = "set -e
clickhouse-sql <<<'CREATE TABLE bulk (b String CODEC(NONE)) ENGINE = MergeTree ORDER BY tuple()'
clickhouse-sql <<<'SYSTEM STOP MERGES bulk'
for n in $(seq 64); do clickhouse-sql <<<'INSERT INTO bulk SELECT randomString(1048576) FROM numbers(16)'; done";

/// Vectors that nobody has loaded: an index of them would be in memory.
const VECTORS: &str = r#"python3 - <<'PY'
from random import Random
from milvus import Milvus, pair, schema

m, chance, dim, rows = Milvus(), Random(7), 4096, 256
fields = [
    schema.FieldSchema(name="id", data_type=schema.Int64, is_primary_key=True),
    schema.FieldSchema(name="vec", data_type=schema.FloatVector, type_params=[pair("dim", dim)]),
]
described = schema.CollectionSchema(name="bulk", fields=fields)
m.call("CreateCollection", collection_name="bulk", schema=described.SerializeToString(), shards_num=1)
vectors = [[chance.uniform(-1, 1) for _ in range(dim)] for _ in range(rows)]
for batch in range(128):
    m.insert("bulk", {"id": (schema.Int64, range(batch * rows, (batch + 1) * rows)), "vec": (schema.FloatVector, vectors)})
    if batch % 16 == 15:
        m.flush("bulk")
PY"#;

const ALL: [Large; 4] = [
    Large {
        words: "Neo4j, 1 GB",
        shape: Shape::Neo4j,
        service: "neo4j",
        volume: "neo4j-data",
        is_copied_there: true,
        lay: |testbed| testbed.seed(350),
        other: ("stopped for its dump", Kind::Pin, &[("STILLPOINT_NEO4J_PIN", "stop")]),
    },
    Large {
        words: "DocumentDB, 300 collections",
        shape: Shape::Documentdb,
        service: "postgres-ferretdb",
        volume: "ferretdb-data",
        is_copied_there: false,
        lay: |testbed| {
            testbed.seed(1)?;
            testbed.psql_in_documentdb(COLLECTIONS).map(drop)
        },
        other: ("clients held", Kind::Hold, &[]),
    },
    Large {
        words: "ClickHouse, 1 GB",
        shape: Shape::Clickhouse,
        service: "clickhouse",
        volume: "clickhouse-data",
        is_copied_there: false,
        lay: |testbed| {
            testbed.seed(1)?;
            testbed.beside("clickhouse", GIGABYTE).map(drop)
        },
        other: ("clients held", Kind::Hold, &[]),
    },
    Large {
        words: "Milvus, 512 MB",
        shape: Shape::Milvus,
        service: "milvus",
        volume: "seaweedfs-data",
        is_copied_there: false,
        lay: |testbed| {
            testbed.seed(1)?;
            testbed.beside("milvus", VECTORS).map(drop)
        },
        other: ("clients held", Kind::Hold, &[]),
    },
];

/// One backup.
struct Measured {
    run: Run,
    size: u64,
    down: Duration,
    /// How long the store was frozen; none if it was not.
    paused: Option<Duration>,
}

/// The report, and in sentences what was broken of the limits.
pub(super) fn run(program: &Path, folder: &Path) -> Result<(String, Vec<String>)> {
    let mut text = "## Large stores by themselves\n\nClients down: from the first word to a client to the last one's start, by the \
        engine's events. Pinned and copied: the steps of the run. Temporary disk: how much Stillpoint's own folders grew at most, and \
        the volume in which a store is copied, and what had been named before anything stopped.\n\n\
        | store | on disk | way | clients down | ratio | paused | pinning | draining | wall | peak resident memory | temporary disk \
        | named | backup |\n|---|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n"
        .to_owned();
    let mut broken = Vec::new();
    for large in &ALL {
        let testbed = Testbed::for_test("large", large.shape)?.auto();
        testbed.examined(|testbed| {
            say(&format!("{}: up and seeding {}", testbed.project(), large.words));
            testbed.up()?;
            (large.lay)(testbed)?;
            large.course(testbed, program, folder, &mut text, &mut broken)
        })?;
        super::clear(&folder.join("work"))?;
    }
    Ok((text, broken))
}

impl Large {
    fn course(
        &self,
        testbed: &Testbed,
        program: &Path,
        folder: &Path,
        text: &mut String,
        broken: &mut Vec<String>,
    ) -> Result<()> {
        let volume = volume(testbed, self.volume)?;
        let on_disk = usage::on_disk(&volume);
        let watched = self.is_copied_there.then_some(&*volume);
        let (words, kind, told) = self.other;
        let other = Alone::by(kind, program, testbed, folder, told, watched)?;
        let other = self.measure(testbed, &other, words)?;
        let ours = Alone::by(Kind::Pin, program, testbed, folder, &[], watched)?;
        let ours = self.measure(testbed, &ours, "pinned")?;
        for (way, measured) in [("pinned", &ours), (words, &other)] {
            broken.extend(measured.run.broken_limits(&format!("{}, {way}", self.words)));
            let ratio = measured.down.as_secs_f64() / other.down.as_secs_f64();
            let [wall, memory, disk, named] = measured.run.cells();
            // Writing to a text cannot fail.
            let _ = writeln!(
                text,
                "| {} | {} | {way} | {} | {ratio:.2} | {} | {} | {} | {wall} | {memory} | {disk} | {named} | {} |",
                self.words,
                report::bytes(on_disk),
                report::seconds(measured.down),
                measured.paused.map_or_else(|| "–".to_owned(), report::seconds),
                report::seconds(measured.run.phase("pin")),
                report::seconds(measured.run.phase("drain")),
                report::bytes(measured.size),
            );
        }
        Ok(())
    }

    fn measure(&self, testbed: &Testbed, product: &Alone, way: &str) -> Result<Measured> {
        testbed.up()?;
        let events = testbed.events_recorder()?;
        let (run, size) = product.backup()?;
        let events = events.stop()?;
        let clients = BTreeSet::from(["webapp".to_owned(), "witness".to_owned()]);
        let down = downtime(&events, &clients)?;
        say(&format!(
            "{}, {way}: clients down {}, {}",
            self.words,
            report::seconds(down),
            run.cells().join(", ")
        ));
        Ok(Measured {
            run,
            size,
            down,
            paused: paused(&events, self.service),
        })
    }
}

fn paused(events: &[Event], service: &str) -> Option<Duration> {
    let at = |action: &str| {
        let mut of_service = events.iter().filter(|event| event.service == service);
        of_service.find(|event| event.action == action).map(|event| event.at)
    };
    Some(Duration::from_nanos(at("unpause")?.saturating_sub(at("pause")?)))
}

/// Where the engine keeps a volume of the platform.
fn volume(testbed: &Testbed, name: &str) -> Result<PathBuf> {
    let volume = format!("{}_{name}", testbed.project());
    let place = testbed.docker(&["volume", "inspect", "--format={{.Mountpoint}}", &volume])?;
    let place = PathBuf::from(place.trim());
    ensure!(place.is_dir(), "{} is not on this machine", place.display());
    place.canonicalize().context("the volume has no place")
}
