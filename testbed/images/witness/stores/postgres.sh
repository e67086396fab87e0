# shellcheck shell=bash
# Every database that the seed made has a table witness(n, proof): one row per tick, never changed.

export PGHOST=${WITNESS_POSTGRES_HOST:-} PGUSER=${WITNESS_POSTGRES_USER:-} PGPASSWORD=${WITNESS_POSTGRES_PASSWORD:-}
export PGCONNECT_TIMEOUT=3 PGDATABASE=postgres PGOPTIONS='-c statement_timeout=15000 -c client_min_messages=warning'

# Names hold spaces and quotes: one per line, and only ever passed on as a psql variable or an environment value.
postgres_databases() {
  psql -XAtq -v ON_ERROR_STOP=1 -c \
    "select datname from pg_database where datallowconn and not datistemplate and datname !~ '^(postgres$|unwatched)' order by datname" 2>/dev/null
}

postgres_has_table() {
  [ "$(PGDATABASE=$1 psql -XAtq -c "select to_regclass('public.witness') is not null" 2>/dev/null)" = t ]
}

# The seed's last act is the table `seeded` in the database postgres: from then on a database without a witness table is a loss.
postgres_ready() { [ "$(psql -XAtq -c "select to_regclass('public.seeded') is not null" 2>/dev/null)" = t ]; }

postgres_last() {
  local db last
  postgres_databases | while read -r db; do
    last=missing
    if postgres_has_table "$db"; then
      last=$(PGDATABASE=$db psql -XAtq -v ON_ERROR_STOP=1 -c \
        "select case when count(*) = coalesce(max(n), 0) and coalesce(bool_and(proof = md5(n::text)), true)
                     then coalesce(max(n), 0)::text else 'damaged' end from public.witness") || last=unreadable
    fi
    echo "postgres/$db $last"
  done
}

# One psql for all databases: a tick must not cost a process each.
postgres_write() {
  local names
  names=$(postgres_databases) || return 1
  [ -n "$names" ] || return 1
  {
    echo '\set ON_ERROR_STOP on'
    while IFS= read -r db; do
      # In a quoted argument of \connect a double quote is doubled.
      printf '\\connect "%s"\n' "${db//\"/\"\"}"
      printf "insert into public.witness(n, proof) values (%s, md5('%s')) on conflict (n) do nothing;\n" "$1" "$1"
    done <<<"$names"
  } | psql -Xq >/dev/null
}
