#!/usr/bin/env bash
# clickhouse.sh SCALE: fills an empty ClickHouse at 127.0.0.1 over HTTP. The same scale gives the same tables and rows; chance are only
# the server's own identifiers. About 3 MB for each unit of scale.
# shellcheck disable=SC1003,SC2016 # it is SQL
set -euo pipefail

sql() { clickhouse-sql "$@" >/dev/null; }

# What a tracing application keeps: its three tables, partitioned by month, with every means that such tables use.
tables() {
  sql <<'SQL'
CREATE TABLE traces (
  id String, project_id LowCardinality(String), timestamp DateTime64(3, 'UTC'), name String, user_id Nullable(String),
  metadata Map(LowCardinality(String), String), tags Array(String), release LowCardinality(Nullable(String)), public Bool,
  input Nullable(String) CODEC(ZSTD(3)), output Nullable(String) CODEC(NONE), environment LowCardinality(String) DEFAULT 'default',
  words UInt32 MATERIALIZED length(splitByChar(' ', name)), label String ALIAS concat(project_id, '/', name),
  event_ts DateTime64(3, 'UTC') COMMENT 'the ''version'' of a row', is_deleted UInt8,
  INDEX by_id id TYPE bloom_filter(0.001) GRANULARITY 1, INDEX by_tag tags TYPE bloom_filter GRANULARITY 4,
  CONSTRAINT has_id CHECK id != ''
) ENGINE = ReplacingMergeTree(event_ts, is_deleted) PARTITION BY toYYYYMM(timestamp)
PRIMARY KEY (project_id, toDate(timestamp)) ORDER BY (project_id, toDate(timestamp), id)
TTL toDateTime(timestamp) + INTERVAL 70 YEAR DELETE SETTINGS index_granularity = 1024, ttl_only_drop_parts = 1
COMMENT 'what was asked, it''s "quoted"'
SQL
  sql <<'SQL'
CREATE TABLE observations (
  id String, trace_id String, project_id LowCardinality(String), type LowCardinality(String), start_time DateTime64(6, 'Europe/Zurich'),
  end_time Nullable(DateTime64(6, 'Europe/Zurich')), level Enum8('DEBUG' = -1, 'DEFAULT' = 0, 'WARNING' = 1, 'it''s an ERROR' = 127),
  model Nullable(String), usage Map(LowCardinality(String), UInt64), cost Map(LowCardinality(String), Decimal(38, 12)), total Decimal(18, 6),
  content String CODEC(LZ4HC(3)),
  INDEX by_trace trace_id TYPE set(100) GRANULARITY 2,
  PROJECTION by_type (SELECT type, count(), sum(total) GROUP BY type), PROJECTION by_trace (SELECT trace_id, id, level ORDER BY trace_id)
) ENGINE = MergeTree PARTITION BY toYYYYMM(start_time) ORDER BY (project_id, start_time, id)
SETTINGS index_granularity = 1024, lightweight_mutation_projection_mode = 'rebuild'
SQL
  sql <<'SQL'
CREATE TABLE scores (
  id UUID, trace_id String, project_id LowCardinality(String), name String, value Float64, comment Nullable(String), at DateTime('UTC'),
  source Enum16('API' = 1, 'EVAL' = 1000)
) ENGINE = MergeTree PARTITION BY (project_id, toYYYYMM(at)) ORDER BY (project_id, name, id)
SETTINGS min_bytes_for_wide_part = 0, index_granularity = 512
SQL
}

# Names that are no names, as they are and as SQL has them between backquotes.
ODD_NAME='we"ird'\'' db #1%`.sql'
ODD=${ODD_NAME//'`'/'\`'}
ODD_TABLE='a \`table\`/of "two\nlines" it\'\''s ✓ 100%.\\'
oddities() {
  sql <<<"CREATE DATABASE \`$ODD\` COMMENT 'it''s \"odd\" ✓'"
  sql <<<"CREATE DATABASE empty"
  sql "database=$ODD_NAME" <<<"CREATE TABLE \`$ODD_TABLE\` (n UInt32, \`a \"column\"\` String,
    \`b\\\`tick.ed\` Array(Nullable(String)), \` \` UInt8 DEFAULT 7, nest Nested(\`k 1\` String, v Int8))
    ENGINE = MergeTree PARTITION BY n % 3 ORDER BY n"
  sql "database=$ODD_NAME" <<<'CREATE TABLE `no rows` (n Int32) ENGINE = MergeTree ORDER BY n'
  sql "database=$ODD_NAME" <<<'CREATE TABLE `.dotted` (n Int32) ENGINE = MergeTree ORDER BY n'
  sql "database=$ODD_NAME" <<<'INSERT INTO `.dotted` SELECT number FROM numbers(5)'
}

# What is made of them by itself: a view with a table inside it, one with a table of its own, one across databases, dictionaries, a function.
derived() {
  sql <<<'CREATE MATERIALIZED VIEW traces_per_day ENGINE = SummingMergeTree ORDER BY (project_id, day)
    AS SELECT project_id, toDate(timestamp) AS day, count() AS traces FROM traces GROUP BY project_id, day'
  sql <<<'CREATE TABLE costs (project_id String, month Date, total AggregateFunction(sum, Decimal(18, 6)),
    most SimpleAggregateFunction(max, Decimal(18, 6)), observations AggregateFunction(count))
    ENGINE = AggregatingMergeTree ORDER BY (project_id, month)'
  sql <<<'CREATE MATERIALIZED VIEW costs_view TO costs AS SELECT project_id, toStartOfMonth(start_time) AS month, sumState(total) AS total,
    max(observations.total) AS most, countState() AS observations FROM observations GROUP BY project_id, month'
  sql <<<'CREATE FUNCTION per_million AS (price, tokens) -> (price * tokens) / 1000000'
  sql <<<'CREATE FUNCTION `odd "function" ✓` AS x -> concat(x, '\''it\'\''s'\'')'
  sql <<<'CREATE TABLE models (id UInt64, name String, price Decimal(18, 6)) ENGINE = Log'
  sql <<<"INSERT INTO models SELECT number, concat('model ', toString(number)), number * 1.25 FROM numbers(100)"
  # It logs in as the user whose password is in its definition.
  sql <<<"CREATE DICTIONARY prices (id UInt64, name String DEFAULT '?', price Decimal(18, 6)) PRIMARY KEY id
    SOURCE(CLICKHOUSE(DB 'default' TABLE 'models' USER '$CLICKHOUSE_USER' PASSWORD '$CLICKHOUSE_PASSWORD'))
    LIFETIME(MIN 0 MAX 3600) LAYOUT(HASHED()) COMMENT 'of models'"
  sql <<<"CREATE VIEW \`$ODD\`.\`of both databases\` AS SELECT t.project_id AS project, count() AS traces,
    sum(per_million(dictGet('default.prices', 'price', toUInt64(o.n)), 1000)) AS price FROM default.traces AS t FINAL
    INNER JOIN \`$ODD\`.\`$ODD_TABLE\` AS o ON o.n = length(t.id) GROUP BY project"
  sql "database=$ODD_NAME" <<<"CREATE MATERIALIZED VIEW \`inner \"view\" ✓\` ENGINE = MergeTree ORDER BY tuple()
    AS SELECT n, hex(\`a \"column\"\`) AS hex FROM \`$ODD_TABLE\`"
}

odd_rows() {
  sql "database=$ODD_NAME" <<<"INSERT INTO \`$ODD_TABLE\` (n, \`a \"column\"\`, \`b\\\`tick.ed\`, nest.\`k 1\`, nest.v)
    SELECT number, char(number, 0, 255 - number, 10, 9, 39, 92, 34, 96), [NULL, '', toString(number), 'NULL', '\\\\N'], ['x', 'y'],
    [number % 100, -1] FROM numbers(256)"
}

# A column of every type, at its ends where it has some.
types() {
  sql <<'SQL'
CREATE TABLE types (
  key UInt8, i8 Int8, i16 Int16, i32 Int32, i64 Int64, i128 Int128, i256 Int256, u64 UInt64, u256 UInt256, f32 Float32, f64 Float64,
  d32 Decimal32(4), d256 Decimal256(70), truth Bool, text String, fixed FixedString(8), day Date, day32 Date32, second DateTime('Europe/Zurich'),
  nano DateTime64(9, 'Asia/Kathmandu'), uuid UUID, v4 IPv4, v6 IPv6, few LowCardinality(Nullable(String)), maybe Nullable(Int64),
  deep Array(Array(Nullable(String))), pair Tuple(a Int8, `b c` Nullable(String), c Array(UInt8)), map Map(String, Array(UInt64)), place Point,
  ring Ring, any Variant(UInt64, String, Array(UInt8)), document JSON(number Int64, max_dynamic_paths = 4), whatever Dynamic(max_types = 3),
  most SimpleAggregateFunction(max, UInt64), only_here String EPHEMERAL 'x', of_it String DEFAULT upper(only_here)
) ENGINE = MergeTree ORDER BY key
SQL
  sql <<'SQL'
INSERT INTO types SELECT number, -128, -32768, -2147483648, -9223372036854775808, toInt128('-170141183460469231731687303715884105728'),
  toInt256('-57896044618658097711785492504343953926634992332820282019728792003956564819968'), 18446744073709551615,
  toUInt256('115792089237316195423570985008687907853269984665640564039457584007913129639935'), [nan, -inf, 1.4e-45][number + 1],
  [-0., inf, 4.9e-324][number + 1], -99999.9999, toDecimal256('-1.0000000000000000000000000000000000000000000000000000000000000000000001', 70),
  number % 2, ['', 'Grüße ✓ 🙂', char(0, 255, 254, 10, 13, 9, 92, 39)][number + 1], char(0, 1, 255), '2149-06-06', '1900-01-01', 4294967295,
  toDateTime64('2262-04-11 23:47:16.854775807', 9, 'UTC'), 'ffffffff-ffff-ffff-ffff-ffffffffffff', '255.255.255.255', 'ffff::1',
  [NULL, '', 'few'][number + 1], [NULL, -1, 9223372036854775807][number + 1], [[], [NULL, '', 'it\'s']],
  (-1, NULL, [0, 255]), map('', [1], 'it\'s', []), (-0.5, 1e300),
  [(0, 0), (1, 0), (0, 1)], [toUInt64(1)::Variant(UInt64, String, Array(UInt8)), 'text'::Variant(UInt64, String, Array(UInt8)), NULL][number + 1],
  ['{}', '{"number": -1, "a": {"b": [1, "2", null], "c d": 1.5}}', '{"k1": 1, "k2": "x", "k3": [], "k4": true, "k5": {"k6": 1e9}}'][number + 1],
  [1::Dynamic, 'text'::Dynamic, [1.5]::Dynamic][number + 1], number, ''
FROM numbers(3)
SQL
}

# Tables of other engines. What is in a Memory does not outlive the server, and BACKUP leaves out what is in a Set or a Join.
others() {
  sql <<<'CREATE TABLE log_lines (n UInt32, line String) ENGINE = Log'
  sql <<<'CREATE TABLE tiny (n UInt32, line Nullable(String)) ENGINE = TinyLog'
  sql <<<'CREATE TABLE stripes (n UInt32, line String) ENGINE = StripeLog'
  sql <<<'CREATE TABLE scratch (n UInt32) ENGINE = Memory'
  sql <<<'CREATE TABLE nowhere (n UInt32) ENGINE = Null'
  sql <<<"CREATE TABLE lines AS log_lines ENGINE = Merge(default, '^(log_lines|stripes)\$')"
  sql <<<'CREATE TABLE chosen (n UInt32) ENGINE = Set'
  sql <<<'CREATE TABLE joined (n UInt32, word String) ENGINE = Join(ANY, LEFT, n)'
  sql <<<'CREATE TABLE balances (account UInt32, amount Int64, sign Int8) ENGINE = CollapsingMergeTree(sign) ORDER BY account'
  for table in log_lines tiny stripes; do
    sql <<<"INSERT INTO $table SELECT number, concat('line ', toString(number), char(10, 9, 0)) FROM numbers(500)"
  done
  sql <<<'INSERT INTO balances SELECT number, number * 10, 1 FROM numbers(100)'
  sql <<<'INSERT INTO balances SELECT number, number * 10, -1 FROM numbers(50)'
}

# TEXT: of row n, always the same and hardly compressible, 1 KB.
TEXT="arrayStringConcat(arrayMap(i -> base64Encode(SHA512(concat(toString(n), ' ', toString(i)))), range(12)))"

# For each unit: 2,000 traces with 1 KB each, twice as many observations, as many scores.
unit() {
  sql "param_u=$1" <<<"INSERT INTO traces SELECT concat('trace-', toString(n)), concat('project ', toString(n % 3)),
    toDateTime64('2025-01-01 00:00:00', 3, 'UTC') + n % 5184000 + 0.001 * (n % 1000), concat('trace no ', toString(n)),
    if(n % 5 = 0, NULL, concat('user-', toString(n % 97))),
    map('key', toString(n), 'it''s', '\"quoted\"'), arrayMap(i -> concat('tag', toString(i)), range(n % 4)), if(n % 2 = 0, NULL, 'v1'), n % 7 = 0,
    $TEXT, if(n % 3 = 0, NULL, concat('out ', toString(n))), if(n % 10 = 0, 'staging', 'default'), toDateTime64('2025-06-01 00:00:00', 3, 'UTC'), 0
    FROM (SELECT {u:UInt64} * 2000 + number AS x, x * 7919 AS n FROM numbers(2000))"
  sql "param_u=$1" <<<"INSERT INTO observations SELECT concat('observation-', toString(n)), concat('trace-', toString(intDiv(n, 2) * 7919)),
    concat('project ', toString(n % 3)), ['SPAN', 'EVENT', 'GENERATION'][n % 3 + 1],
    toDateTime64('2025-01-15 12:00:00', 6, 'UTC') + n * 7919 % 5184000 + 0.000001 * n, NULL,
    CAST([-1, 0, 1, 127][n % 4 + 1], 'Enum8(\\'DEBUG\\' = -1, \\'DEFAULT\\' = 0, \\'WARNING\\' = 1, \\'it\\\\\\'s an ERROR\\' = 127)'),
    if(n % 3 = 2, concat('model ', toString(n % 100)), NULL), map('input', n % 1000, 'output', n % 77), map('input', toDecimal128(n, 12) / 1000),
    n % 1000 / 1000, concat('content ', toString(n), char(n % 256)) FROM (SELECT {u:UInt64} * 4000 + number AS n FROM numbers(4000))"
  sql "param_u=$1" <<<"INSERT INTO scores SELECT reinterpretAsUUID(MD5(toString(n))), concat('trace-', toString(n * 7919)),
    concat('project ', toString(n % 3)), concat('score ', toString(n % 5)), [0.1, -0., nan, inf, n / 7][n % 5 + 1],
    if(n % 4 = 0, concat('comment ', toString(n)), NULL), toDateTime('2025-01-01 00:00:00', 'UTC') + n * 7919 % 5184000,
    ['API', 'EVAL'][n % 2 + 1] FROM (SELECT {u:UInt64} * 2000 + number AS n FROM numbers(2000))"
}

# What was changed and removed again: rows that are replaced, masked and rewritten, a column, a partition, a table.
changed() {
  sql <<<"INSERT INTO traces SELECT * REPLACE ('renamed' AS name, event_ts + 60 AS event_ts) FROM traces WHERE id IN ('trace-0', 'trace-7919')"
  sql <<<"INSERT INTO traces SELECT * REPLACE (event_ts + 60 AS event_ts, 1 AS is_deleted) FROM traces WHERE id = 'trace-15838'"
  sql <<<"DELETE FROM observations WHERE id IN ('observation-3', 'observation-30', 'observation-300')" lightweight_deletes_sync=2
  sql mutations_sync=2 <<<"ALTER TABLE scores UPDATE comment = 'changed' WHERE name = 'score 3'"
  sql mutations_sync=2 <<<"ALTER TABLE scores DELETE WHERE name = 'score 4' AND source = 'EVAL'"
  sql <<<"ALTER TABLE scores ADD COLUMN later Array(String) DEFAULT ['later', name] AFTER value, ADD COLUMN gone Int8"
  sql mutations_sync=2 <<<'ALTER TABLE scores DROP COLUMN gone'
  for project in 'project 8' 'project 9'; do
    sql "param_p=$project" <<<"INSERT INTO scores (id, project_id, name, at) SELECT reinterpretAsUUID(MD5(concat({p:String}, toString(number)))),
      {p:String}, 'late', toDateTime('2024-01-01 00:00:00', 'UTC') + number FROM numbers(10)"
  done
  sql <<<"ALTER TABLE scores DROP PARTITION ('project 9', 202401)"
  sql <<<'CREATE TABLE forgotten (n Int8) ENGINE = MergeTree ORDER BY n'
  sql <<<'DROP TABLE forgotten'
  sql <<<'CREATE TABLE before (n Int8) ENGINE = MergeTree ORDER BY n'
  sql <<<'INSERT INTO before VALUES (1), (2), (3)'
  sql <<<'RENAME TABLE before TO renamed'
}

# It answers, and holds nothing.
await() {
  local tries=0 seen
  until seen=$(CLICKHOUSE_LIMIT=5 clickhouse-sql 2>/dev/null <<<"SELECT count() FROM system.tables WHERE database = 'default'"); do
    [ $((tries += 1)) -lt 300 ] || { echo 'this ClickHouse does not answer' >&2; exit 1; }
    sleep 0.2
  done
  [ "$seen" = 0 ] || { echo 'this ClickHouse is seeded already' >&2; exit 1; }
}

main() {
  await
  tables
  oddities
  derived
  odd_rows
  types
  others
  for ((u = 0; u < $1; u++)); do unit "$u"; done
  changed
  # The witness's place, then the mark that the seed is whole (images/witness/stores/clickhouse.sh waits for it).
  sql <<<'CREATE TABLE witness (n UInt64, proof String) ENGINE = MergeTree ORDER BY n'
  sql <<<"INSERT INTO witness VALUES (0, '$(printf 0 | sha256sum | cut -d' ' -f1)')"
  sql <<<'CREATE TABLE seeded (n UInt8) ENGINE = TinyLog'
}
main "$@" </dev/null
