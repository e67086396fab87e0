#!/usr/bin/env bash
# neo4j.sh SCALE: fills an empty Neo4j at 127.0.0.1 over HTTP, as the user neo4j. The same scale gives the same nodes and relationships
# under the same ids; chance are only the salts of passwords. About 3 MB for each unit of scale.
# shellcheck disable=SC2016 # it is Cypher
set -euo pipefail

# graph [PARAMETERS]: one statement.
graph() { cypher neo4j "$@" >/dev/null; }

# Every kind of rule and index that the Community edition has, with names that are no names.
schema() {
  graph <<<'CREATE CONSTRAINT person_mail FOR (p:Person) REQUIRE p.mail IS UNIQUE'
  graph <<<'CREATE CONSTRAINT `two ``together```
    FOR (p:Place) REQUIRE (p.country, p.name) IS UNIQUE'
  graph <<<'CREATE CONSTRAINT receipt FOR ()-[b:BOUGHT]-() REQUIRE b.receipt IS UNIQUE'
  graph <<<'CREATE INDEX document_number FOR (d:Document) ON (d.number)'
  graph <<<'CREATE INDEX person_born FOR (p:Person) ON (p.born, p.name)'
  graph <<<'CREATE INDEX bought_at FOR ()-[b:BOUGHT]-() ON (b.at)'
  graph <<<'CREATE TEXT INDEX document_title FOR (d:Document) ON (d.title)'
  graph <<<'CREATE POINT INDEX place_at FOR (p:Place) ON (p.at)
    OPTIONS {indexConfig: {`spatial.cartesian.min`: [-100.0, -100.0], `spatial.cartesian.max`: [100.0, 100.0]}}'
  graph <<<'CREATE FULLTEXT INDEX words FOR (n:Document|Person) ON EACH [n.text, n.title, n.name]
    OPTIONS {indexConfig: {`fulltext.analyzer`: "english"}}'
  graph <<<'CREATE FULLTEXT INDEX notes FOR ()-[r:KNOWS|BOUGHT]-() ON EACH [r.note]'
  graph <<<'CREATE VECTOR INDEX meaning FOR (d:Document) ON (d.embedding)
    OPTIONS {indexConfig: {`vector.dimensions`: 16, `vector.similarity_function`: "cosine"}}'
  graph <<<'CREATE INDEX `odd "name" ✓` FOR (n:`A ``label``
of two lines`) ON (n.`a "key"`, n.`Schlüssel \u2713`)'
}

# A node with a property of every type, at its ends where it has some; the same on a relationship to itself.
types() {
  graph <<'CYPHER'
CREATE (n:Everything {
  yes: true, no: false, least: -9223372036854775808, most: 9223372036854775807, zero: 0, minus: -1,
  float: 0.1, tiny: 4.9e-324, huge: 1.7976931348623157e308, `minus zero`: -0.0, `not a number`: 0.0 / 0.0,
  infinite: 1.0 / 0.0, `minus infinite`: -1.0 / 0.0,
  empty: '', text: 'Grüße ✓ 🙂 e\u0301 \u05D0\u05D1', quotes: 'it\'s "quoted" `here` \\', lines: 'one\ntwo\r\nthree\ttab', `NUL`: 'a\u0000b',
  date: date('2020-02-29'), `first day`: date('-999999999-01-01'), `last day`: date('+999999999-12-31'),
  time: time('23:59:59.999999999+18:00'), `local time`: localtime('00:00:00.000000001'),
  moment: datetime('2025-03-30T02:30:00+01:00'), zoned: datetime('2025-10-26T02:30:00+01:00[Europe/Zurich]'),
  `local moment`: localdatetime('1582-10-15T12:00:00.123456789'),
  span: duration('P1Y2M3W4DT5H6M7.000000008S'), `back in time`: duration({months: -13, days: 40, seconds: -1, nanoseconds: 1}),
  flat: point({x: -1.5, y: 2.25}), deep: point({x: 1, y: 2, z: -3}),
  `on earth`: point({longitude: 8.5417, latitude: 47.3769}), above: point({longitude: 7.4474, latitude: 46.9480, height: 540.5}),
  nothing: [], truths: [true, false], integers: [-9223372036854775808, 0, 9223372036854775807], floats: [0.1, -0.0, 1e300],
  texts: ['', 'a "quote"', 'Grüße ✓', 'line\nbreak'], dates: [date('1970-01-01'), date('2038-01-19')],
  times: [time('12:00Z')], `local times`: [localtime('12:00')], moments: [datetime('2000-01-01T00:00Z')],
  `local moments`: [localdatetime('2000-01-01T00:00')], spans: [duration('PT0S'), duration('P-1D')],
  points: [point({x: 0, y: 0}), point({x: 1e10, y: -1e10})]})
CREATE (n)-[r:`IS LIKE`]->(n) SET r = properties(n)
CYPHER
  # No literal is of bytes.
  cypher --typed neo4j <(echo '{"bytes": {"$type": "Base64", "_value": "AP/+AQ0KAA=="}, "none": {"$type": "Base64", "_value": ""}}') \
    <<<'MATCH (n:Everything) SET n.bytes = $bytes, n.`no bytes` = $none' >/dev/null
  # Longer than a record, longer than a block.
  graph <(text 1 1 9000 | jq -R '{text: .}') <<<'CREATE (:Everything:Long {text: $text, list: [i IN range(1, 20000) | i * 7919]})'
}

# Names that are no names, nodes without label, with many, with none but a number of properties, and what was removed again.
oddities() {
  graph <<'CYPHER'
CREATE (n:`A ``label``
of two lines`:`"quoted" 'label'`:`Grüße ✓`:`a:b`:` ` {`a "key"`: 1, `Schlüssel \u2713`: 2, ` `: 3, `back``tick`: 4, `two
lines`: 5, `a.b`: 6, `$c`: 7, `🙂`: 8})
CREATE (n)-[:`A ``type``
of "two" lines` {`a ``key```: 'x'}]->(n), (n)-[:` `]->(n), (n)-[:`Grüße ✓`]->(), ()-[:` `]->(n)
CREATE ({without: 'a label'}), (), (:`1`:`2`:`3`:`4`:`5`:`6`:`7`:`8`:`9`:`10`:`11`:`12`)
CYPHER
  graph <<<'UNWIND range(1, 300) AS i CREATE (:Wide {number: i})'
  graph <(jq -nc '{keys: ([range(200) | {key: "key \(.)", value: .}] | from_entries)}') <<<'CREATE (n:Wide) SET n = $keys'
  # Between the same two, in both directions, and many at one node.
  graph <<'CYPHER'
MATCH (a:Wide {number: 1}), (b:Wide {number: 2})
UNWIND range(1, 5) AS i CREATE (a)-[:KNOWS {since: i, note: 'note ' + i}]->(b), (b)-[:KNOWS {since: -i}]->(a)
CYPHER
  graph <<<'MATCH (a:Wide {number: 3}), (b:Wide) WHERE b.number > 3 CREATE (a)-[:KNOWS]->(b)'
}

# text FIRST COUNT WORDS: lines of always the same, hardly compressible text, 8 bytes a word.
text() {
  awk -v first="$1" -v count="$2" -v words="$3" 'BEGIN {
    for (i = first; i < first + count; i++) {
      x = (i * 7919 + 1) % 2147483647; line = ""
      for (w = 0; w < words; w++) { x = (x * 16807) % 2147483647; line = line sprintf("%08x", x) }
      print line
    } }'
}

# For each unit: what an application would keep, 1,000 documents of 1 KB among them.
unit() {
  graph <(text "$(($1 * 1000))" 1000 125 | jq -Rn --argjson unit "$1" '{unit: $unit, texts: [inputs]}') <<'CYPHER'
UNWIND range(0, 999) AS i WITH $unit * 1000 + i AS n, $texts[i] AS text
CREATE (:Document {number: n, title: 'Document ' + n, text: text, read: n % 7 = 0,
  embedding: [d IN range(1, 16) | toFloat(n * d * 7919 % 1009) / 1009 - 0.5]})
CYPHER
  graph <(echo "{\"unit\": $1}") <<'CYPHER'
UNWIND range(0, 199) AS i WITH $unit * 200 + i AS n
CREATE (:Person:Customer {mail: 'user' + n + '@example.org', name: 'User ' + n, born: date('1950-01-01') + duration({days: n * 13 % 20000}),
  tags: ['tag' + n % 7, 'tag' + n % 11]})
CREATE (:Place {country: 'Country ' + n % 20, name: 'Place ' + n, at: point({x: n % 90, y: n * 7 % 90})})
CYPHER
  graph <(echo "{\"unit\": $1}") <<'CYPHER'
UNWIND range(0, 999) AS i WITH $unit * 1000 + i AS n
MATCH (p:Person {mail: 'user' + ($unit * 200 + n % 200) + '@example.org'}), (d:Document {number: n})
CREATE (p)-[:BOUGHT {receipt: n, at: datetime('2025-01-01T00:00Z') + duration({minutes: n}), note: 'receipt ' + n, price: n * 0.05}]->(d)
CYPHER
  graph <(echo "{\"unit\": $1}") <<'CYPHER'
UNWIND range(0, 199) AS i WITH $unit * 200 AS first, i
MATCH (a:Person {mail: 'user' + (first + i) + '@example.org'}), (b:Person {mail: 'user' + (first + (i * 7 + 1) % 200) + '@example.org'})
CREATE (a)-[:KNOWS {since: date('2000-01-01') + duration({days: i})}]->(b)
CYPHER
}

# What was there: ids that are free, a label and an index that are no more.
removed() {
  graph <<<'UNWIND range(1, 50) AS i CREATE (:Forgotten {number: i})-[:GONE]->(:Forgotten)'
  graph <<<'CREATE INDEX forgotten FOR (f:Forgotten) ON (f.number)'
  graph <<<'DROP INDEX forgotten'
  graph <<<'MATCH (f:Forgotten) DETACH DELETE f'
  graph <<<'MATCH (w:Wide) WHERE w.number % 3 = 0 DETACH DELETE w'
}

# Besides neo4j: one whose password was changed, one with a name that is none, one who has to change his.
users() {
  local statement
  for statement in "CREATE USER reporter SET PASSWORD 'reporter-secret' CHANGE NOT REQUIRED" \
    "ALTER USER reporter SET PASSWORD 'changed-secret'" \
    "CREATE USER \`odd\"us'er%\` SET PASSWORD 'odd \"secret\" ✓' CHANGE NOT REQUIRED" \
    "CREATE USER newcomer SET PASSWORD 'newcomer-secret' CHANGE REQUIRED"; do
    cypher system <<<"$statement" >/dev/null
  done
}

# It answers, and holds nothing.
await() {
  local tries=0 seen
  until seen=$(NEO4J_LIMIT=5 cypher neo4j 2>/dev/null <<<'MATCH (n) RETURN count(n)'); do
    [ $((tries += 1)) -lt 300 ] || { echo 'this Neo4j does not answer' >&2; exit 1; }
    sleep 0.2
  done
  [ "$seen" = '[0]' ] || { echo 'this Neo4j is seeded already' >&2; exit 1; }
}

main() {
  await
  schema
  types
  oddities
  for ((n = 0; n < $1; n++)); do unit "$n"; done
  removed
  users
  graph <<<'CALL db.awaitIndexes(600)'
  # The witness's place, then the mark that the seed is whole (images/witness/stores/neo4j.sh waits for it).
  graph <<<'CREATE CONSTRAINT witness FOR (t:Witness) REQUIRE t.n IS UNIQUE'
  graph <(printf '{"proof": "%s"}' "$(printf 0 | sha256sum | cut -d' ' -f1)") <<<'CREATE (:Witness {n: 0, proof: $proof})'
  graph <<<'CREATE (:Seeded)'
}
main "$@" </dev/null
