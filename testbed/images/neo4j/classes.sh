#!/usr/bin/env bash
# Puts the classes that a server and its tools load into Java's own archive of classes, from which they need not be read and
# checked at each start: a third of what a start costs. Whatever else runs with this Java does not use the archive.
set -euo pipefail

work=$(mktemp -d)
lists=$work/lists
# The build shares the host's network, on which somebody else may have the usual one.
port=$((20000 + RANDOM % 10000))
install -d "$work/conf" "$lists"
{
  cat "$NEO4J_HOME/conf/neo4j.conf"
  printf 'server.directories.%s\n' "data=$work/data" "logs=$work/logs" "run=$work"
  printf '%s\n' "server.http.listen_address=127.0.0.1:$port" server.bolt.listen_address=127.0.0.1:0 \
    server.memory.pagecache.size=16m db.tx_log.preallocate=false dbms.usage_report.enabled=false
} >"$work/conf/neo4j.conf"
export NEO4J_CONF=$work/conf

# java_ LIST OPTIONS…: as launch.sh and the entry point start it.
java_() { exec java -XX:DumpLoadedClassList="$lists/$1" -XX:TieredStopAtLevel=1 -Dbasedir="$NEO4J_HOME" -cp "$NEO4J_HOME/lib/*" "${@:2}"; }
admin() { (java_ "$1" org.neo4j.server.startup.Neo4jAdminCommand "${@:2}"); }

admin password dbms set-initial-password first-secret
java_ server --add-opens=java.base/java.nio=ALL-UNNAMED --add-opens=java.base/java.io=ALL-UNNAMED \
  --add-opens=java.base/sun.nio.ch=ALL-UNNAMED -Xms256m -Xmx256m \
  org.neo4j.server.CommunityEntryPoint "--home-dir=$NEO4J_HOME" "--config-dir=$work/conf" --console-mode >"$work/log" 2>&1 &
server=$!
until grep -q 'Started\.$' "$work/log"; do
  kill -0 "$server" || { cat "$work/log" >&2; exit 1; }
  sleep 0.2
done
ask() {
  wget -qO- --header="Authorization: Basic $(printf neo4j:first-secret | base64)" --header='Content-Type: application/json' \
    --post-data="{\"statement\": \"$1\"}" "http://127.0.0.1:$port/db/neo4j/query/v2"
}
ask 'UNWIND range(1, 9) AS i CREATE (:A {i: i})-[:R]->(:B)' >/dev/null
ask 'MATCH (n) RETURN labels(n), count(*)' >/dev/null
kill "$server"
wait "$server" || [ $? = 143 ]
admin dump database dump neo4j --to-stdout >"$work/neo4j.dump"
admin load database load neo4j --from-stdin --overwrite-destination <"$work/neo4j.dump"
# Numbers of classes differ from list to list. What a loader of its own loads, and what is made at run time with more arguments than
# Java reads back, stays out.
cat "$lists"/* | grep -v ' source: ' | sed 's/ id: .*//' | awk 'length < 2000' | sort -u >"$work/classes"
archive=$(readlink -f /opt/java/lib/server)/classes.jsa
java -Xshare:dump -XX:SharedClassListFile="$work/classes" -XX:SharedArchiveFile="$archive.new" \
  -Xlog:disable -Xlog:all=error:stderr -cp "$NEO4J_HOME/lib/*"
mv "$archive.new" "$archive"
rm -rf "$work"
