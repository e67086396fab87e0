# shellcheck shell=bash
# The database `default` has a row (n, proof) in the table `witness` for each tick, with the tick's SHA-256 in it, never changed. The seed
# makes that of tick 0.

clickhouse() {
  CLICKHOUSE_HTTP=${WITNESS_CLICKHOUSE_HTTP:-} CLICKHOUSE_USER=clickhouse CLICKHOUSE_PASSWORD=${WITNESS_CLICKHOUSE_PASSWORD:-} CLICKHOUSE_LIMIT=15 \
    clickhouse-sql "$@" 2>/dev/null
}

clickhouse_proof() { printf %s "$1" | sha256sum | cut -d' ' -f1; }

# The seed's last act is a table `seeded`: from then on a server without its witness is a loss.
clickhouse_ready() { [ "$(clickhouse <<<'EXISTS TABLE default.seeded')" = 1 ]; }

clickhouse_last() {
  local seen=unreadable columns count last proof
  if columns=$(clickhouse <<<"SELECT groupArray(name) FROM system.columns WHERE database = 'default' AND table = 'witness'"); then
    if [ "$columns" != "['n','proof']" ]; then
      seen=missing
    elif read -r count last proof < <(clickhouse <<<'SELECT count(), max(n), argMax(proof, n) FROM default.witness'); then
      if [ "$count" = $((last + 1)) ] && [ "$proof" = "$(clickhouse_proof "$last")" ]; then seen=$last; else seen=damaged; fi
    fi
  fi
  echo "clickhouse $seen"
}

# A tick that is tried again is there once all the same.
clickhouse_write() {
  clickhouse "param_n=$1" "param_proof=$(clickhouse_proof "$1")" <<<'INSERT INTO default.witness SELECT {n:UInt64}, {proof:String}
    WHERE {n:UInt64} NOT IN (SELECT n FROM default.witness)' &&
    [ "$(clickhouse "param_n=$1" <<<'SELECT proof FROM default.witness WHERE n = {n:UInt64}')" = "$(clickhouse_proof "$1")" ]
}
