//! The testbed tests itself on the real engine: what every other test stands on must not lie.
//! Needs a Docker Engine and the images (`testbed/images/build.sh`).

use std::collections::BTreeMap;

use anyhow::Result;
use stillpoint_testkit::patience::until;
use stillpoint_testkit::seaweed;
use stillpoint_testkit::testbed::{Shape, Status, Testbed, Truth, WitnessMode};

fn ticks(testbed: &Testbed) -> Result<Vec<u64>> {
    Ok(testbed
        .witness()?
        .into_values()
        .map(|w| if w.is_whole() { w.last } else { u64::MAX })
        .collect())
}

#[test]
fn a_seeded_mini_platform_ticks_shows_its_truth_and_can_be_wrecked() -> Result<()> {
    Testbed::for_test("smoke", Shape::Mini)?.examined(|testbed| {
        testbed.up_seeded()?;
        let mut events = testbed.events_recorder()?;
        assert_eq!((testbed.tick()?, testbed.tick()?), (1, 2));
        assert_eq!(ticks(testbed)?, [2; 5]);
        let before = testbed.truth()?;
        assert!(
            before.databases.len() == 6 && before.databases["we \"ird' db #1%"].len() > 10,
            "the truth is thin: {before:?}"
        );
        assert_eq!(before.differences(&testbed.truth()?), Vec::<String>::new());

        let witness = testbed.container("witness")?;
        testbed.docker(&["stop", &witness])?;
        assert_eq!(testbed.state("witness")?.exit_code, 0);
        assert_eq!(testbed.witness_log_last_stop()?, Some(2));
        testbed.docker(&["start", &witness])?;
        assert_eq!(testbed.tick()?, 3);
        assert_eq!(testbed.witness_log_last_resume()?, Some(2));
        let seen: Vec<_> = events
            .so_far()?
            .iter()
            .filter(|e| e.service == "witness")
            .map(|e| e.action.as_str())
            .collect();
        let power: Vec<_> = seen.iter().filter(|a| !a.starts_with("exec")).copied().collect();
        assert_eq!(power, ["kill", "die", "stop", "start"]);

        testbed.wreck()?;
        let lines = before.differences(&testbed.truth()?);
        for expected in [
            "litellm: the database is missing",
            "cluster: role dagster: missing",
            "openwebui: large object 700001: missing",
        ] {
            assert!(
                lines.iter().any(|l| l == expected),
                "{expected:?} is not among {lines:#?}"
            );
        }
        assert!(ticks(testbed)?.iter().all(|last| *last == u64::MAX));
        assert!(events.stop()?.iter().all(|e| e.service != "webapp"));
        Ok(())
    })
}

#[test]
fn a_full_platform_holds_every_state_that_a_backup_must_keep() -> Result<()> {
    Testbed::for_test("full", Shape::Full)?.examined(|testbed| {
        testbed.up_seeded()?;
        let states: BTreeMap<_, _> = testbed
            .containers()?
            .into_iter()
            .map(|c| (c.service, (c.status, c.exit_code)))
            .collect();
        assert_eq!(states.len(), 16);
        for (service, state) in &states {
            let expected = match service.as_str() {
                "oneshot-init" | "reports" => Status::Exited,
                "worker-paused" => Status::Paused,
                _ => Status::Running,
            };
            assert_eq!((service, state), (service, &(expected, 0)));
        }
        assert_eq!(bucket_seen_with_the_backups_key(testbed)?, "200");
        assert_eq!(testbed.tick()?, 1);
        assert_eq!(ticks(testbed)?, [1; 15]);
        let truth = testbed.truth()?;
        assert!(
            truth.databases.len() == 6 && truth.places.len() == 21,
            "the truth is thin: {truth:?}"
        );
        Ok(())
    })
}

fn bucket_seen_with_the_backups_key(testbed: &Testbed) -> Result<String> {
    let user = format!("{}:{}", seaweed::BACKUP.id, seaweed::BACKUP.secret);
    let url = format!("http://127.0.0.1:8333/{}", seaweed::BUCKET);
    let curl = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--head"];
    let signed = ["--aws-sigv4", "aws:amz:us-east-1:s3", "--user", &user, &url];
    let container = testbed.container("seaweedfs-s3")?;
    testbed.docker(&[&["exec", &container], &curl[..], &signed].concat())
}

/// The seed must be the same every time, or a difference would mean nothing; salts, times and made-up names excepted.
fn two_seeds_are_the_same(name: &str, shape: Shape) -> Result<()> {
    Testbed::for_test(name, shape)?
        .with_witness(WitnessMode::Auto)
        .examined(|testbed| {
            testbed.up()?;
            testbed.seed(1)?;
            let fresh = testbed.truth()?;
            testbed.down()?;
            testbed.up_seeded()?;
            let copied = testbed.truth()?;
            assert_eq!(
                without_chance(fresh).differences(&without_chance(copied)),
                Vec::<String>::new()
            );
            Ok(())
        })
}

#[test]
fn two_seeds_of_one_scale_are_the_same() -> Result<()> {
    two_seeds_are_the_same("seed", Shape::Mini)
}

#[test]
fn two_seeds_of_valkey_are_the_same() -> Result<()> {
    two_seeds_are_the_same("seedvalkey", Shape::Valkey)
}

#[test]
fn two_seeds_of_neo4j_are_the_same() -> Result<()> {
    two_seeds_are_the_same("seedneo4j", Shape::Neo4j)
}

#[test]
fn two_seeds_of_clickhouse_are_the_same() -> Result<()> {
    two_seeds_are_the_same("seedclickhouse", Shape::Clickhouse)
}

#[test]
fn two_seeds_of_milvus_are_the_same() -> Result<()> {
    two_seeds_are_the_same("seedmilvus", Shape::Milvus)
}

#[test]
fn two_seeds_of_nats_are_the_same() -> Result<()> {
    two_seeds_are_the_same("seednats", Shape::Nats)
}

fn without_chance(truth: Truth) -> Truth {
    let mut truth = without_salts(truth);
    // The server gives the keys of these rows.
    if let Some(facts) = truth.places.get_mut("milvus/default") {
        facts.remove("nearest by exact of events");
        if let Some(rows) = facts.get_mut("rows of events").and_then(|rows| rows.as_object_mut()) {
            rows.remove("scalars");
        }
    }
    for (name, fact) in truth.places.values_mut().flatten() {
        let Some(stream) = name.strip_prefix("stream ") else {
            continue;
        };
        if let Some(fact) = fact.as_object_mut().filter(|fact| fact.contains_key("times")) {
            fact.remove("times");
            // Chunks are kept under a name that the client makes up; what came from a source bears a mark of that very source.
            if stream.starts_with("OBJ_") || stream == "RETURNS" {
                fact.remove("content");
            }
        }
    }
    truth
}

fn without_salts(mut truth: Truth) -> Truth {
    for (name, fact) in &mut truth.cluster {
        if name.starts_with("role ") {
            fact["password"] = fact["password"]
                .as_str()
                .map(|p| p.split('$').next().unwrap_or(p).to_owned())
                .into();
        }
    }
    truth
}

/// Acts one after the other, each with the beginnings of the lines that it must make between the truths before and after it, and no others.
fn notices(testbed: &Testbed, acts: &[(&str, &[&str])], act: impl Fn(&str) -> Result<String>) -> Result<()> {
    let mut before = testbed.truth()?;
    assert_eq!(before.differences(&testbed.truth()?), Vec::<String>::new());
    for (script, expected) in acts {
        act(script)?;
        let after = testbed.truth()?;
        let lines = before.differences(&after);
        let as_expected = lines.iter().zip(*expected).all(|(line, words)| line.starts_with(words));
        assert!(
            as_expected && lines.len() == expected.len(),
            "after {script}: {lines:#?} instead of {expected:#?}"
        );
        before = after;
    }
    Ok(())
}

/// A platform with one store and nothing beside it.
fn alone(testbed: &Testbed, service: &str) -> Result<()> {
    let services: Vec<_> = testbed.containers()?.into_iter().map(|c| c.service).collect();
    assert_eq!(services, [service, "webapp", "witness"]);
    Ok(())
}

/// A platform with one store: the witness counts in it, its data outlives a stop and a start, a wreck is noticed everywhere.
fn stands_and_falls(testbed: &Testbed, service: &str, places: usize, wrecked: &[&str]) -> Result<()> {
    assert_eq!((testbed.tick()?, testbed.tick()?), (1, 2));
    assert_eq!(ticks(testbed)?, vec![2; places]);

    let before = testbed.truth()?;
    let store = testbed.container(service)?;
    testbed.docker(&["stop", &store])?;
    // A Milvus that has just written may have to be killed.
    let ended = testbed.state(service)?.exit_code;
    assert!(
        ended == 0 || (service, ended) == ("milvus", 137),
        "it ended with {ended}"
    );
    testbed.docker(&["start", &store])?;
    until("the store answers", || Ok(testbed.truth().is_ok()))?;
    assert_eq!(testbed.tick()?, 3);
    assert_eq!(before.differences(&testbed.truth()?), Vec::<String>::new());
    testbed.docker(&["restart", &testbed.container("witness")?])?;
    assert_eq!(testbed.tick()?, 4);
    assert_eq!(testbed.witness_log_last_resume()?, Some(3));

    testbed.wreck()?;
    let lines = before.differences(&testbed.truth()?);
    for expected in wrecked {
        assert!(
            lines.iter().any(|line| line == expected),
            "{expected:?} is not among {lines:#?}"
        );
    }
    assert!(ticks(testbed)?.iter().all(|last| *last == u64::MAX));
    Ok(())
}

#[test]
fn a_valkey_alone_ticks_shows_its_truth_and_can_be_wrecked() -> Result<()> {
    let acts: [(&str, &[&str]); 9] = [
        ("SET session:7 other", &["valkey/0: string session:*: content: "]),
        (
            "-n 1 DEL cache:page:7",
            &[
                "valkey/1: string cache:*: content: ",
                "valkey/1: string cache:*: expiring: was 100, is 99",
                "valkey/1: string cache:*: expiry: ",
                "valkey/1: string cache:*: keys: was 100, is 99",
            ],
        ),
        (
            "PEXPIREAT session:3 4102444800001",
            &["valkey/0: string session:*: expiry: "],
        ),
        (
            "PERSIST session:6",
            &[
                "valkey/0: string session:*: expiring: ",
                "valkey/0: string session:*: expiry: ",
            ],
        ),
        ("-n 3 ZINCRBY scores 0.001 big", &[]),
        (
            "-n 3 ZINCRBY scores 0.001 'a tenth'",
            &["valkey/3: zset scores: content: "],
        ),
        (
            "-n 3 RPUSH 'list of bytes' ''",
            &["valkey/3: list list of bytes: content: "],
        ),
        (
            "-n 1 XACK queue:mail senders 1760000000000-14",
            &[
                "valkey/1: group senders of stream queue:mail: pending: was \"24\", is \"23\"",
                "valkey/1: stream queue:*: content: ",
            ],
        ),
        ("FUNCTION DELETE orders", &["valkey: library orders: missing"]),
    ];
    Testbed::for_test("valkey", Shape::Valkey)?.examined(|testbed| {
        testbed.up_seeded()?;
        let places: Vec<_> = testbed.truth()?.places.into_keys().collect();
        assert_eq!(places, ["valkey", "valkey/0", "valkey/1", "valkey/3"]);
        notices(testbed, &acts, |command| {
            testbed.beside("valkey", &format!("valkey-cli -e {command} >&2"))
        })?;
        let wrecked = [
            "valkey/0: hash user:*: missing",
            "valkey/1: group senders of stream queue:mail: missing",
            "valkey/1: string queue:*: ought not to be there",
            "valkey/3: the place is missing",
            "valkey/5: a place that ought not to be there",
        ];
        alone(testbed, "valkey")?;
        stands_and_falls(testbed, "valkey", 3, &wrecked)
    })
}

#[test]
fn a_nats_alone_ticks_shows_its_truth_and_can_be_wrecked() -> Result<()> {
    let acts: [(&str, &[&str]); 5] = [
        (
            "nats stream rmm -f Audit-Trail_2 9",
            &[
                "nats/APP: stream Audit-Trail_2: bytes: ",
                "nats/APP: stream Audit-Trail_2: content: ",
                "nats/APP: stream Audit-Trail_2: deleted: was 0, is 1",
                "nats/APP: stream Audit-Trail_2: messages: was 50, is 49",
                "nats/APP: stream Audit-Trail_2: subjects: was 31, is 30",
                "nats/APP: stream Audit-Trail_2: times: ",
            ],
        ),
        (
            "nats consumer next ORDERS billing --count 1 --no-ack",
            &[
                "nats/APP: consumer billing of ORDERS: ack pending: was 5, is 6",
                "nats/APP: consumer billing of ORDERS: delivered: consumer: was 55, is 56",
                "nats/APP: consumer billing of ORDERS: delivered: stream: was 55, is 56",
                "nats/APP: consumer billing of ORDERS: pending: was 243, is 242",
            ],
        ),
        (
            "nats --user other --password $NATS_OTHER_PASSWORD consumer next ORDERS reader --ack",
            &[
                "nats/OTHER: consumer reader of ORDERS: ack floor: consumer: was 7, is 8",
                "nats/OTHER: consumer reader of ORDERS: ack floor: stream: was 7, is 8",
                "nats/OTHER: consumer reader of ORDERS: delivered: consumer: was 7, is 8",
                "nats/OTHER: consumer reader of ORDERS: delivered: stream: was 7, is 8",
                "nats/OTHER: consumer reader of ORDERS: pending: was 18, is 17",
            ],
        ),
        (
            "nats stream edit RENAMED -f --max-age 900d",
            &["nats/APP: stream RENAMED: config: max_age: was 0, is 77760000000000000"],
        ),
        (
            "nats consumer rm -f ORDERS idle",
            &["nats/APP: consumer idle of ORDERS: missing"],
        ),
    ];
    Testbed::for_test("nats", Shape::Nats)?.examined(|testbed| {
        testbed.up_seeded()?;
        let places: Vec<_> = testbed.truth()?.places.into_keys().collect();
        assert_eq!(places, ["nats/APP", "nats/OTHER"]);
        notices(testbed, &acts, |command| {
            testbed.beside("nats", &format!("{command} >&2"))
        })?;
        let wrecked = [
            "nats/APP: stream KV_CONFIG: missing",
            "nats/APP: consumer billing of ORDERS: missing",
            "nats/APP: stream ORDERS: config: subjects: was [\"orders.>\"], is [\"rubbish\"]",
            "nats/OTHER: stream METRICS: missing",
        ];
        alone(testbed, "nats")?;
        stands_and_falls(testbed, "nats", 2, &wrecked)
    })
}

#[test]
fn a_neo4j_alone_ticks_shows_its_truth_and_can_be_wrecked() -> Result<()> {
    let acts: [(&str, &[&str]); 8] = [
        (
            "neo4j <<<'MATCH (p:Person {mail: \"user7@example.org\"}) SET p.name = \"other\"'",
            &["neo4j/neo4j: nodes [\"Customer\", \"Person\"]: content: "],
        ),
        (
            "neo4j <<<'MATCH (e:Everything {zero: 0}) SET e.zero = 0.0'",
            &["neo4j/neo4j: nodes [\"Everything\"]: content: "],
        ),
        (
            "neo4j <<<'MATCH ()-[k:KNOWS {note: \"note 2\"}]->() SET k.note = NULL'",
            &["neo4j/neo4j: relationships KNOWS: content: "],
        ),
        (
            "neo4j <<<'MATCH (d:Document {number: 17}) SET d:Read'",
            &[
                "neo4j/neo4j: nodes [\"Document\", \"Read\"]: ought not to be there",
                "neo4j/neo4j: nodes [\"Document\"]: content: ",
                "neo4j/neo4j: nodes [\"Document\"]: count: was 1000, is 999",
            ],
        ),
        (
            "neo4j <<<'DROP INDEX meaning'",
            &[
                "neo4j/neo4j: answer of meaning: missing",
                "neo4j/neo4j: index meaning: missing",
            ],
        ),
        (
            "neo4j <<<'DROP CONSTRAINT receipt'",
            &[
                "neo4j/neo4j: constraint receipt: missing",
                "neo4j/neo4j: index receipt: missing",
            ],
        ),
        (
            "system <<<'ALTER USER reporter SET PASSWORD \"reporter-secret\"'",
            &[
                "neo4j/system: login reporter with changed-secret: was \"taken\"",
                "neo4j/system: login reporter with reporter-secret: was \"Neo.ClientError.Security.Unauthorized\", is \"taken\"",
            ],
        ),
        (
            "system <<<'DROP USER newcomer'",
            &[
                "neo4j/system: login newcomer with newcomer-secret: was \"Neo.ClientError.Security.CredentialsExpired\"",
                "neo4j/system: user newcomer: missing",
            ],
        ),
    ];
    Testbed::for_test("neo4j", Shape::Neo4j)?.examined(|testbed| {
        testbed.up_seeded()?;
        let truth = testbed.truth()?;
        let places: Vec<_> = truth.places.keys().collect();
        assert_eq!(places, ["neo4j/neo4j", "neo4j/system"]);
        let graph = &truth.places["neo4j/neo4j"];
        let mut answers = graph.iter().filter(|(name, _)| name.starts_with("answer of "));
        assert!(
            answers.clone().count() == 5
                && answers.all(|(_, found)| found.as_array().is_some_and(|all| !all.is_empty())),
            "an index answers nothing: {graph:#?}"
        );
        notices(testbed, &acts, |act| testbed.beside("neo4j", &format!("cypher {act}")))?;
        let wrecked = [
            "neo4j/neo4j: relationships BOUGHT: missing",
            "neo4j/neo4j: index person_mail: owningConstraint: was \"person_mail\", is null",
            "neo4j/neo4j: constraint person_mail: missing",
            "neo4j/neo4j: index words: missing",
            "neo4j/system: user odd\"us'er%: missing",
            "neo4j/system: user rubbish: ought not to be there",
        ];
        alone(testbed, "neo4j")?;
        stands_and_falls(testbed, "neo4j", 1, &wrecked)
    })
}

#[test]
fn a_clickhouse_alone_ticks_shows_its_truth_and_can_be_wrecked() -> Result<()> {
    let acts: [(&str, &[&str]); 10] = [
        (
            "ALTER TABLE scores UPDATE comment = 'other' WHERE name = 'score 2' SETTINGS mutations_sync = 2",
            &["clickhouse/default: rows scores: content: "],
        ),
        (
            "INSERT INTO traces SELECT * FROM traces WHERE id = 'trace-23757'",
            &["clickhouse/default: rows .inner_id.traces_per_day: content: "],
        ),
        (
            "DELETE FROM types WHERE key = 2",
            &[
                "clickhouse/default: rows types: content: ",
                "clickhouse/default: rows types: count: was \"3\", is \"2\"",
            ],
        ),
        (
            "ALTER TABLE scores COMMENT COLUMN value 'other'",
            &["clickhouse/default: table scores: definition: "],
        ),
        (
            "ALTER TABLE observations DROP PROJECTION by_type SETTINGS mutations_sync = 2",
            &[
                "clickhouse/default: parts observations: projections: ",
                "clickhouse/default: table observations: definition: ",
            ],
        ),
        (
            "ALTER TABLE scores DROP PARTITION ('project 8', 202401)",
            &[
                "clickhouse/default: parts scores: partitions: ",
                "clickhouse/default: rows scores: content: ",
                "clickhouse/default: rows scores: count: ",
            ],
        ),
        (
            "INSERT INTO `we\"ird' db #1%\\`.sql`.`no rows` VALUES (-1)",
            &[
                "clickhouse/we\"ird' db #1%`.sql: parts no rows: partitions: ",
                "clickhouse/we\"ird' db #1%`.sql: rows no rows: content: ",
                "clickhouse/we\"ird' db #1%`.sql: rows no rows: count: was \"0\", is \"1\"",
            ],
        ),
        (
            "DROP FUNCTION `odd \"function\" ✓`",
            &["clickhouse: function odd \"function\" ✓: missing"],
        ),
        ("DROP DATABASE empty", &["clickhouse/empty: the place is missing"]),
        (
            "DROP DICTIONARY prices SETTINGS check_referential_table_dependencies = 0",
            &[
                "clickhouse/default: rows prices: missing",
                "clickhouse/default: table prices: missing",
                "clickhouse/we\"ird' db #1%`.sql: rows of both databases: content: ",
                "clickhouse/we\"ird' db #1%`.sql: rows of both databases: count: was \"3\", is null",
                "clickhouse/we\"ird' db #1%`.sql: rows of both databases: fails: was null, is \"Code: 36\"",
            ],
        ),
    ];
    Testbed::for_test("clickhouse", Shape::Clickhouse)?.examined(|testbed| {
        testbed.up_seeded()?;
        let truth = testbed.truth()?;
        let places: Vec<_> = truth.places.keys().collect();
        let odd = "clickhouse/we\"ird' db #1%`.sql";
        assert_eq!(places, ["clickhouse", "clickhouse/default", "clickhouse/empty", odd]);
        assert_eq!(truth.places[odd]["rows of both databases"]["count"], "3");
        notices(testbed, &acts, |act| {
            testbed.beside("clickhouse", &format!("clickhouse-sql <<'SQL'\n{act}\nSQL"))
        })?;
        let (store, before) = (testbed.container("clickhouse")?, testbed.truth()?);
        testbed.docker(&["kill", &store])?;
        testbed.docker(&["start", &store])?;
        until("the killed store answers", || Ok(testbed.truth().is_ok()))?;
        assert_eq!(before.differences(&testbed.truth()?), Vec::<String>::new());
        let wrecked = [
            "clickhouse: function per_million: was \"CREATE FUNCTION per_million AS (price, tokens) -> ((price * tokens) / 1000000)\", is \"CREATE FUNCTION per_million AS x -> x\"",
            "clickhouse/default: table models: engine: was \"Log\", is \"View\"",
            "clickhouse/default: rows scores: missing",
            "clickhouse/rubbish: a place that ought not to be there",
            "clickhouse/we\"ird' db #1%`.sql: the place is missing",
        ];
        alone(testbed, "clickhouse")?;
        stands_and_falls(testbed, "clickhouse", 1, &wrecked)
    })
}

/// The interface is ours, so it is asked what the product will ask of it: each request with the status and the exception's code.
#[test]
fn clickhouses_interface_answers_as_the_servers_own() -> Result<()> {
    const ANSWERS: &str = r#"
        ask() { # USER:PASSWORD ARGUMENTS STATEMENT: where there is no statement it is a GET
            curl -s -o /dev/null -w '%{http_code} %header{x-clickhouse-exception-code}\n' -u "$1" ${3:+--data-binary "$3"} "$CLICKHOUSE_HTTP/?$2"
        }
        both=clickhouse:clickhouse-secret
        ask $both '' 'SELECT version()'
        ask $both 'param_x=1&max_threads=1' 'SELECT {x:UInt8}'
        ask $both query=SELECT+1
        ask $both query=CREATE+DATABASE+other
        ask clickhouse:wrong '' 'SELECT 1'
        ask nobody: '' 'SELECT 1'
        ask $both '' 'SELECT * FROM nowhere'
        ask $both database=nowhere 'SELECT 1'
        ask $both no_setting=1 'SELECT 1'
        ask $both '' 'SELEC 1'
        ask reader:reader-secret '' 'SELECT 1'
        ask reader:reader-secret '' "BACKUP DATABASE default TO S3('http://nowhere/b/x')"
        ask $both '' 'CREATE TABLE bytes (s String) ENGINE = MergeTree ORDER BY s'
        printf '\2\n\n\4;\0\377x' | curl -s -u $both --data-binary @- "$CLICKHOUSE_HTTP/?query=INSERT+INTO+bytes+FORMAT+RowBinary"
        clickhouse-sql <<<'SELECT hex(s) FROM bytes ORDER BY s'
        clickhouse-sql log_comment=long function_sleep_max_microseconds_per_block=0 <<<'SELECT sleep(3) FROM numbers(60) SETTINGS max_block_size = 1' \
            2>&1 | grep -o QUERY_WAS_CANCELLED &
        until clickhouse-sql <<<"KILL QUERY WHERE Settings['log_comment'] = 'long' SYNC" | grep -q finished; do sleep 0.1; done
        wait
    "#;
    let expected = "200 |200 |200 |500 164|403 516|403 516|404 60|404 81|404 115|400 62|200 |403 497|200 |0A0A|3B00FF78|QUERY_WAS_CANCELLED";
    Testbed::for_test("chfront", Shape::Clickhouse)?.examined(|testbed| {
        let variables = [
            "CLICKHOUSE_USER=clickhouse",
            "CLICKHOUSE_PASSWORD=clickhouse-secret",
            "CLICKHOUSE_READONLY_USER=reader:reader-secret",
        ];
        let options: Vec<_> = variables.into_iter().flat_map(|variable| ["-e", variable]).collect();
        let server = testbed.guest("clickhouse", "CLICKHOUSE", &options, &[])?;
        let ping = ["exec", &server, "wget", "-q", "--spider", "http://127.0.0.1:8123/ping"];
        until("ClickHouse answers", || Ok(testbed.docker(&ping).is_ok()))?;
        let answers = testbed.beside("clickhouse", ANSWERS)?;
        assert_eq!(
            answers.lines().collect::<Vec<_>>(),
            expected.split('|').collect::<Vec<_>>()
        );
        assert!(
            testbed
                .docker(&["top", &server])?
                .contains("/usr/bin/clickhouse-server ")
        );
        Ok(())
    })
}

#[test]
fn a_milvus_with_what_it_stands_on_ticks_shows_its_truth_and_can_be_wrecked() -> Result<()> {
    let acts: [(&str, &[&str]); 9] = [
        (
            "m.delete('documents', 'id == 77')",
            &[
                "milvus/default: rows of documents: partitions: _default: was 1199, is 1198",
                "milvus/default: rows of documents: scalars: ",
                "milvus/default: rows of documents: seen: was 3598, is 3597",
                "milvus/default: rows of documents: vectors: ",
            ],
        ),
        (
            "m.insert('chunks', {'id': (schema.Int64, [-1]), 'cat': (schema.VarChar, ['new']), 'vec': (schema.FloatVector, [[0.5] * 16])})",
            &[
                "milvus/default: rows of chunks: partitions: _default: was 2895, is 2896",
                "milvus/default: rows of chunks: scalars: ",
                "milvus/default: rows of chunks: seen: was 2895, is 2896",
                "milvus/default: rows of chunks: vectors: ",
            ],
        ),
        (
            "m.call('AlterAlias', collection_name='chunks', alias='docs')",
            &["milvus/default: alias docs: was \"documents\", is \"chunks\""],
        ),
        (
            "m.call('ReleaseCollection', collection_name='events')",
            &[
                "milvus/default: load state of events: collection: was \"Loaded\", is \"NotLoad\"",
                "milvus/default: load state of events: partitions: _default_0: ",
                "milvus/default: load state of events: partitions: _default_1: ",
                "milvus/default: load state of events: partitions: _default_2: ",
                "milvus/default: load state of events: partitions: _default_3: ",
            ],
        ),
        (
            "m.call('DropIndex', collection_name='notes', index_name='exact')",
            &[
                "milvus/default: index exact of notes: missing",
                "milvus/default: nearest by exact of notes: missing",
                "milvus/default: rows of notes: flushed: ",
                "milvus/default: rows of notes: partitions: ",
                "milvus/default: rows of notes: scalars: ",
                "milvus/default: rows of notes: seen: ",
                "milvus/default: rows of notes: vectors: ",
            ],
        ),
        (
            "m.call('CreatePartition', collection_name='raw', partition_name='more')",
            &[
                "milvus/default: collection raw: partitions: was ",
                "milvus/default: load state of raw: partitions: more: was null",
            ],
        ),
        (
            "m.call('OperateUserRole', username='alice', role_name='readers', type='RemoveUserFromRole')",
            &[
                "milvus: alice queries default.documents: was ",
                "milvus: alice queries second.documents: was ",
                "milvus: user alice: was [\"readers\"], is []",
            ],
        ),
        (
            "m.call('UpdateCredential', username='alice', oldPassword=password('alice-secret'), newPassword=password('first-secret'))",
            &[
                "milvus: alice queries default.chunks: ",
                "milvus: alice queries default.documents: ",
                "milvus: alice queries second.documents: ",
                "milvus: login alice with alice-secret: was \"taken\"",
                "milvus: login alice with first-secret: was ",
            ],
        ),
        (
            "m.call('DropDatabase', db_name='_empty_database')",
            &["milvus/_empty_database: the place is missing"],
        ),
    ];
    Testbed::for_test("milvus", Shape::Milvus)?.examined(|testbed| {
        testbed.up_seeded()?;
        let services: Vec<_> = testbed.containers()?.into_iter().map(|c| c.service).collect();
        assert_eq!(services, ["etcd", "milvus", "seaweedfs-s3", "webapp", "witness"]);
        let places: Vec<_> = testbed.truth()?.places.into_keys().collect();
        let databases = ["milvus/_empty_database", "milvus/default", "milvus/second"];
        assert_eq!(places, [&["milvus"], &databases[..], &["milvus/strangers"]].concat());
        notices(testbed, &acts, |act| {
            let script = format!("from milvus import *\nm = Milvus()\n{act}\n");
            testbed.beside("milvus", &format!("python3 - <<'PY'\n{script}PY"))
        })?;
        let wrecked = [
            "milvus/default: collection chunks: missing",
            "milvus/default: alias docs: missing",
            "milvus/default: index by_meaning of documents: missing",
            "milvus/second: the place is missing",
            "milvus/rubbish: a place that ought not to be there",
            "milvus: role readers: missing",
            "milvus: user rubbish: ought not to be there",
        ];
        stands_and_falls(testbed, "milvus", 2, &wrecked)
    })
}
