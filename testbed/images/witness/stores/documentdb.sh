# shellcheck shell=bash
# The collection witness.ticks: one document a tick, its id the tick, never changed. Written and read through the catalog, as clients do.

documentdb_psql() {
  PGHOST=${WITNESS_DOCUMENTDB_HOST:-} PGUSER=postgres PGPASSWORD=${WITNESS_DOCUMENTDB_PASSWORD:-} PGDATABASE=postgres PGCONNECT_TIMEOUT=3 \
    PGOPTIONS='-c statement_timeout=15000 -c client_min_messages=warning' psql -XAtq -v ON_ERROR_STOP=1 "$@"
}

# The seed's last act is the table `seeded`: from then on a missing collection is a loss.
documentdb_ready() { [ "$(documentdb_psql -c "select to_regclass('public.seeded') is not null" 2>/dev/null)" = t ]; }

documentdb_last() {
  local last
  last=$(documentdb_psql -c \
    "select case when count(*) = coalesce(max(n), 0) and coalesce(bool_and(proof = md5(n::text)), true)
                 then coalesce(max(n), 0)::text else 'damaged' end
     from (select convert_from(id, 'UTF8')::bigint n, convert_from(document, 'UTF8') proof from documentdb_api.find('witness', 'ticks')) t" \
    2>/dev/null) || last=missing
  echo "documentdb $last"
}

documentdb_write() {
  documentdb_psql -c "select documentdb_api.insert_one('witness', 'ticks', convert_to('$1', 'UTF8'), convert_to(md5('$1'), 'UTF8'))" >/dev/null
}
