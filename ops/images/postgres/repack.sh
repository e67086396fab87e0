#!/bin/sh
# Puts pg_repack into Dagster's databases, once, when the data directory is made. A server that has data already gets it by
# CREATE EXTENSION in each.
set -euf

run() { psql -v ON_ERROR_STOP=1 --no-password --username "$POSTGRES_USER" "$@"; }

# Names as Stillpoint reads them: with commas between them.
IFS=,
for database in ${DAGSTER_DB:-dagster}; do
    database=$(printf '%s' "$database" | sed 's/^[[:space:]]*//; s/[[:space:]]*$//')
    # Another script may have made it.
    run --dbname postgres --set "name=$database" <<'SQL'
SELECT format('CREATE DATABASE %I', :'name') WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec
SQL
    run --dbname "$database" --command 'CREATE EXTENSION IF NOT EXISTS pg_repack'
done
