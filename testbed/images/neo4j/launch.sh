#!/bin/sh
# neo4j, neo4j-admin, cypher-shell: which of them it is, its own name says. Each starts a second Java with the settings that hold for it.
set -eu
case ${0##*/} in
  neo4j) main=org.neo4j.server.startup.Neo4jCommand ;;
  neo4j-admin) main=org.neo4j.server.startup.Neo4jAdminCommand ;;
  cypher-shell) main=org.neo4j.shell.Main ;;
  *) exit 64 ;;
esac
exec java -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dbasedir="$NEO4J_HOME" -cp "$NEO4J_HOME/lib/*" "$main" "$@"
