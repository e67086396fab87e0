#!/usr/bin/env bash
# Behaves as the official image's entrypoint does (Docker Hub's page of clickhouse/clickhouse-server): root gives the data to the user
# clickhouse and becomes that user; CLICKHOUSE_USER and CLICKHOUSE_PASSWORD are the one user, CLICKHOUSE_DB a database of the first start.
set -euo pipefail

CONFIG=${CLICKHOUSE_CONFIG:-/etc/clickhouse-server/config.xml}
DATA=/var/lib/clickhouse

if [ -n "${CLICKHOUSE_PASSWORD_FILE:-}" ]; then
  CLICKHOUSE_PASSWORD=$(<"$CLICKHOUSE_PASSWORD_FILE")
  export CLICKHOUSE_PASSWORD
fi
# The engine knows the user too: dictionaries log in as somebody. As `default` it is this server that logs in.
user=${CLICKHOUSE_USER:-default}
if [ "$user" != default ]; then
  cat >/etc/clickhouse-server/users.d/default-user.xml <<XML
<clickhouse>
    <users>
        <$user>
            <password>${CLICKHOUSE_PASSWORD:-}</password>
            <networks><ip>::/0</ip></networks>
            <profile>default</profile>
            <quota>default</quota>
        </$user>
    </users>
</clickhouse>
XML
fi
become=()
if [ "$(id -u)" = 0 ]; then
  become=(setpriv --reuid=clickhouse --regid=clickhouse --clear-groups --)
  mkdir -p "$DATA"
  [ "$(stat -c %u:%g "$DATA")" = 101:101 ] || chown -R clickhouse:clickhouse "$DATA"
fi
if [ $# -gt 0 ] && [ "${1:0:2}" != -- ]; then exec "$@"; fi
# Called by the server's name, as everybody sees it who looks at the container's processes.
exec "${become[@]}" bash -c 'exec -a /usr/bin/clickhouse-server python3 /usr/lib/clickhouse/server.py "$@"' bash "--config-file=$CONFIG" "$@"
