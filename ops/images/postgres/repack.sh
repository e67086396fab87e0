#!/bin/sh
# Puts pg_repack into Dagster's database, once, when the data directory is made. A server that has data already gets it by
# CREATE EXTENSION in that database.
set -eu

database=${DAGSTER_DB:-dagster}

run() { psql -v ON_ERROR_STOP=1 --no-password --username "$POSTGRES_USER" "$@"; }

# Another script may have made it.
run --dbname postgres --set "name=$database" <<'SQL'
SELECT format('CREATE DATABASE %I', :'name') WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec
SQL
run --dbname "$database" --command 'CREATE EXTENSION IF NOT EXISTS pg_repack'
