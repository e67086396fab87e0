//! What the witness's counter shows in every store, and what its log says: the proof of one point in time.
//! Reads the stores by itself: the witness's own word about them is never taken.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::clickhouse::ClickHouse;
use super::docker::Docker;
use super::nats::{ACCOUNTS, Nats, hex};
use super::neo4j::{Neo4j, integer};
use super::{milvus, psql, valkey};

/// The witness's rows in one place (a database, an account).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WitnessState {
    /// The last tick; 0 before the first.
    pub last: u64,
    /// The number of ticks; equal to `last` when none is missing.
    pub count: u64,
    /// Every row holds the proof of its tick.
    pub proofs_ok: bool,
}

impl WitnessState {
    /// All ticks from 1 to `last`, each with its proof.
    pub fn is_whole(&self) -> bool {
        self.count == self.last && self.proofs_ok
    }
}

/// The tick that all places show, each of them whole.
pub(super) fn one_tick(places: &BTreeMap<String, WitnessState>) -> Result<u64> {
    let (_, first) = places.first_key_value().context("there is no witness")?;
    let one = |state: &WitnessState| state.is_whole() && state.last == first.last;
    if places.values().all(one) {
        return Ok(first.last);
    }
    let shown = places.iter().map(|(place, state)| {
        let whole = if state.is_whole() { "" } else { " (NOT WHOLE)" };
        format!("{place}: tick {}{whole}", state.last)
    });
    bail!("not one point in time: {}", shown.collect::<Vec<_>>().join(", "))
}

const TABLE: &str = "select to_regclass('public.witness') is not null as found \\gset
\\if :found
select json_build_object('database', current_database(), 'last', coalesce(max(n), 0), 'count', count(*),
    'proofs_ok', coalesce(bool_and(proof = md5(n::text)), true)) from public.witness;
\\else
select json_build_object('database', current_database(), 'last', 0, 'count', 0, 'proofs_ok', false);
\\endif
";

#[derive(Deserialize)]
struct Line {
    database: String,
    #[serde(flatten)]
    state: WitnessState,
}

/// What each database of the server but `postgres` shows; one without the witness's table shows a tick 0 without proofs.
pub(super) fn in_postgres(container: &str, databases: &[String]) -> Result<BTreeMap<String, WitnessState>> {
    let names = databases.iter().filter(|name| *name != "postgres");
    let script: String = names.map(|name| psql::connect(name) + TABLE).collect();
    let call = Docker::new([
        "exec",
        "-i",
        "-u",
        "postgres",
        container,
        "psql",
        "-XqAt",
        "-v",
        "ON_ERROR_STOP=1",
    ]);
    of_lines(&call.input(script).run()?)
}

fn of_lines(answer: &str) -> Result<BTreeMap<String, WitnessState>> {
    let lines = answer.lines().filter(|l| !l.is_empty());
    let read = lines.map(|l| serde_json::from_str(l).with_context(|| format!("the witness shows {l}")));
    read.map(|line| line.map(|Line { database, state }| (database, state)))
        .collect()
}

const COLLECTION: &str =
    "select json_build_object('database', 'postgres', 'last', coalesce(max(n), 0), 'count', count(*),
    'proofs_ok', coalesce(bool_and(proof = md5(n::text)), true)) from (select convert_from(id, 'UTF8')::bigint n,
    convert_from(document, 'UTF8') proof from documentdb_api.find('witness', 'ticks')) t";

/// What the collection of the witness shows; a tick 0 without proofs where the catalog knows none.
pub(super) fn in_documentdb(container: &str) -> Result<BTreeMap<String, WitnessState>> {
    let known = "select count(*) from pg_extension where extname = 'documentdb'";
    let known = psql::psql(container, "postgres", known)?;
    let is_there = "select count(*) from documentdb_api_catalog.collections where database_name = 'witness'";
    let lost = WitnessState {
        last: 0,
        count: 0,
        proofs_ok: false,
    };
    if known.trim() == "0" || psql::psql(container, "postgres", is_there)?.trim() == "0" {
        return Ok(BTreeMap::from([("postgres".to_owned(), lost)]));
    }
    let answer = psql::psql(container, "postgres", COLLECTION)?;
    let Line { database, state } =
        serde_json::from_str(&answer).with_context(|| format!("the witness's collection shows {answer}"))?;
    Ok(BTreeMap::from([(database, state)]))
}

/// The seed's field 0 is no tick.
const HASHES: &str = r#"
local lines = {}
for _, database in ipairs(ARGV) do
  redis.call("SELECT", database)
  local fields, last, whole = redis.pcall("HGETALL", "witness"), 0, true
  for i = 1, #fields, 2 do
    last = math.max(last, tonumber(fields[i]) or 0)
    whole = whole and fields[i + 1] == redis.sha1hex(fields[i])
  end
  lines[#lines + 1] = cjson.encode({ database = database, last = last, count = math.max(#fields / 2 - 1, 0),
    proofs_ok = whole and #fields > 0 })
end
return lines"#;

/// What each database that the seed fills shows; one without the witness's hash shows a tick 0 without proofs.
pub(super) fn in_valkey(container: &str) -> Result<BTreeMap<String, WitnessState>> {
    let lines: Vec<Line> = valkey::asked(container, HASHES, &valkey::DATABASES)?;
    Ok(lines
        .into_iter()
        .map(|Line { database, state }| (database, state))
        .collect())
}

/// What each account shows; one without the witness's stream shows a tick 0 without proofs.
pub(super) fn in_nats(container: &str) -> Result<BTreeMap<String, WitnessState>> {
    let states = ACCOUNTS.into_iter().map(|(account, user, password)| {
        let mut nats = Nats::connect(container, user, password)?;
        Ok((account.to_owned(), of_stream(&mut nats)?))
    });
    states.collect()
}

fn of_stream(nats: &mut Nats) -> Result<WitnessState> {
    let info = nats.tried("STREAM.INFO.WITNESS", &json!({}))?;
    let number = |member: &str| info["state"][member].as_u64().unwrap_or_default();
    let (last, count) = (number("last_seq"), number("messages"));
    let mut proofs_ok = info["error"] == Value::Null;
    let requests = (1..=last).map(|tick| json!({"seq": tick}).to_string());
    nats.all("$JS.API.DIRECT.GET.WITNESS", requests, |before, body| {
        let tick = before + 1;
        proofs_ok &= body == format!("{tick} {}", hex(Sha256::new_with_prefix(tick.to_string()))).as_bytes();
        Ok(())
    })?;
    Ok(WitnessState { last, count, proofs_ok })
}

/// What the database shows; one without the witness's nodes shows a tick 0 without proofs. The seed's node 0 is no tick.
pub(super) fn in_neo4j(container: &str) -> Result<BTreeMap<String, WitnessState>> {
    const TICKS: &str = "MATCH (t:Witness) RETURN t.n, t.proof ORDER BY t.n";
    let rows = Neo4j::of(container)?.rows("neo4j", TICKS, &json!({}))?;
    let (mut last, mut proofs_ok) = (0, !rows.is_empty());
    for row in &rows {
        let tick = integer(&row[0]).unwrap_or(-1);
        proofs_ok &= row[1]["_value"] == hex(Sha256::new_with_prefix(tick.to_string()));
        last = last.max(u64::try_from(tick).unwrap_or(0));
    }
    let count = (rows.len() as u64).saturating_sub(1);
    Ok([("neo4j".to_owned(), WitnessState { last, count, proofs_ok })].into())
}

/// What the database `default` shows; one without the witness's table shows a tick 0 without proofs. The seed's row 0 is no tick.
pub(super) fn in_clickhouse(container: &str) -> Result<BTreeMap<String, WitnessState>> {
    const COLUMNS: &str =
        "SELECT name FROM system.columns WHERE database = 'default' AND table = 'witness' ORDER BY position";
    const TICKS: &str =
        "SELECT max(n), count(), toString(min(proof = lower(hex(SHA256(toString(n)))))) FROM default.witness";
    let server = ClickHouse::of(container)?;
    let (mut last, mut rows, mut proofs_ok) = (0, 0, false);
    if server.texts(COLUMNS)? == ["n", "proof"] {
        let row = server.rows(TICKS)?.remove(0);
        let number = |value: &Value| value.as_str().and_then(|text| text.parse().ok()).unwrap_or_default();
        (last, rows) = (number(&row[0]), number(&row[1]));
        proofs_ok = rows > 0 && row[2] == "1";
    }
    let count = u64::saturating_sub(rows, 1);
    Ok([("default".to_owned(), WitnessState { last, count, proofs_ok })].into())
}

/// By its databases: every row but that of tick 0, which the seed makes.
const MILVUS: &str = r#"
import hashlib, json
from milvus import Milvus, Refused
for database in ("default", "second"):
    try:
        rows = Milvus(database).query("witness", "n >= 0", ["n", "proof"])
    except Refused:
        rows = []
    right = [row["proof"] == hashlib.sha256(str(row["n"]).encode()).hexdigest() for row in rows]
    print(json.dumps({"database": database, "last": max((row["n"] for row in rows), default=0), "count": max(len(rows) - 1, 0),
                      "proofs_ok": bool(rows) and all(right)}))
"#;

/// The witness's collections in both databases.
pub(super) fn in_milvus(container: &str) -> Result<BTreeMap<String, WitnessState>> {
    of_lines(&milvus::told(container, MILVUS)?)
}

/// The number in the last line that begins with `words`.
pub(super) fn last_number_after(log: &str, words: &str) -> Option<u64> {
    let rest = log.lines().rev().find_map(|line| line.strip_prefix(words))?;
    rest.split([' ', ',']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_stop_counts() {
        let log = "resumed after tick 0 in 5 places\ntick 1\nstopped after tick 1, told between ticks\nresumed after tick 1 in 5 places\ntick 2\nstopped after tick 2\nresumed after tick 2 in 5 places\ntick 3\n";
        assert_eq!(last_number_after(log, "stopped after tick "), Some(2));
        assert_eq!(last_number_after(log, "resumed after tick "), Some(2));
        assert_eq!(last_number_after("tick 1\n", "stopped after tick "), None);
    }

    fn shown(last: u64) -> WitnessState {
        WitnessState {
            last,
            count: last,
            proofs_ok: true,
        }
    }

    #[test]
    fn a_torn_tick_is_told_by_the_places_that_show_it() {
        let places = |valkey| BTreeMap::from([("nats/APP".to_owned(), shown(17)), ("valkey/0".to_owned(), valkey)]);
        assert_eq!(one_tick(&places(shown(17))).unwrap(), 17);
        let torn = one_tick(&places(shown(18))).unwrap_err().to_string();
        assert_eq!(torn, "not one point in time: nats/APP: tick 17, valkey/0: tick 18");
        let gap = WitnessState { count: 16, ..shown(17) };
        assert!(one_tick(&places(gap)).unwrap_err().to_string().contains("NOT WHOLE"));
        assert!(one_tick(&BTreeMap::new()).is_err());
    }

    #[test]
    fn a_gap_or_a_wrong_proof_is_not_whole() {
        let whole = WitnessState {
            last: 7,
            count: 7,
            proofs_ok: true,
        };
        assert!(whole.is_whole());
        assert!(
            !WitnessState {
                count: 6,
                ..whole.clone()
            }
            .is_whole()
        );
        assert!(
            !WitnessState {
                proofs_ok: false,
                ..whole
            }
            .is_whole()
        );
    }
}
