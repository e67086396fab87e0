# shellcheck shell=bash
# The database has a node (:Witness {n, proof}) for each tick, with the tick's SHA-256 in it, never changed. The seed makes that of tick 0.

neo4j() {
  NEO4J_HTTP=${WITNESS_NEO4J_HTTP:-} NEO4J_USER=neo4j NEO4J_PASSWORD=${WITNESS_NEO4J_PASSWORD:-} NEO4J_LIMIT=15 \
    cypher neo4j "${1:-/dev/null}" 2>/dev/null
}

neo4j_proof() { printf %s "$1" | sha256sum | cut -d' ' -f1; }

# The seed's last act is a node Seeded: from then on a database without its witness is a loss.
neo4j_ready() { [ "$(neo4j <<<'MATCH (s:Seeded) RETURN count(s)')" = '[1]' ]; }

neo4j_last() {
  local seen=unreadable count last proof
  if read -r count last proof < <(neo4j <<<'MATCH (t:Witness) WITH t ORDER BY t.n DESC WITH collect(t) AS ticks
    RETURN size(ticks), ticks[0].n, ticks[0].proof' | tr -d '[]"' | tr , ' '); then
    if [ "$count" = 0 ]; then
      seen=missing
    elif [ "$count" = $((last + 1)) ] && [ "$proof" = "$(neo4j_proof "$last")" ]; then
      seen=$last
    else
      seen=damaged
    fi
  fi
  echo "neo4j $seen"
}

neo4j_write() {
  # shellcheck disable=SC2016 # it is Cypher
  [ "$(neo4j <(printf '{"n": %s, "proof": "%s"}' "$1" "$(neo4j_proof "$1")") <<<'MATCH (:Witness {n: 0}) MERGE (t:Witness {n: $n})
    ON CREATE SET t.proof = $proof RETURN t.proof = $proof')" = '[true]' ]
}
