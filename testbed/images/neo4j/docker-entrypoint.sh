#!/usr/bin/env bash
# Behaves as the official image's entrypoint does (Neo4j's Operations Manual, "Docker"): variables become settings, root gives folders to
# the user neo4j and becomes that user, and NEO4J_AUTH counts only where the command is `neo4j`. What it says of folders it says, as the
# official one does, on standard output, even in front of what a command prints there.
set -euo pipefail

CONF=$NEO4J_HOME/conf
# Variables that are no settings.
OWN=' NEO4J_ACCEPT_LICENSE_AGREEMENT NEO4J_AUTH NEO4J_AUTH_PATH NEO4J_DEBUG NEO4J_EDITION NEO4J_HOME NEO4J_PLUGINS NEO4J_SHA256 NEO4J_TARBALL '
# Beginnings of a command that runs as the server's user.
if [ "$(id -u)" = 0 ]; then
  become=(env "HOME=$NEO4J_HOME" setpriv --reuid=neo4j --regid=neo4j --clear-groups --)
  owner=neo4j:neo4j
else
  become=()
  owner=
fi

# ours FOLDER: can be written to by the server, or is made so.
ours() {
  local what
  [ -d "$1" ] || return 0
  if [ -z "$owner" ]; then
    [ -w "$1" ] || [ "$(stat -c %U "$1")" = neo4j ] || {
      echo "Folder $1 is not accessible for user $(id -u): is it mounted with other permissions?" >&2
      exit 1
    }
    return 0
  fi
  if ! "${become[@]}" test -w "$1"; then
    what="Folder mounted to \"$1\" is"
  elif [ -n "$("${become[@]}" find "$1" ! -writable -print -quit 2>/dev/null)" ]; then
    what="Some files inside \"$1\" are"
  else
    return 0
  fi
  echo "Warning: $what not writable from inside container. Changing folder owner to ${owner%:*}."
  chown -R "$owner" "$1"
}

# setting NAME VALUE: into the configuration; in the place of what is there, but for the one that may stand there many times.
setting() {
  local file=$CONF/neo4j.conf
  case $1 in
    apoc.*) file=$CONF/apoc.conf ;;
    *) ;;
  esac
  if [ -e "$file" ] && [ "$1" != server.jvm.additional ]; then sed -i "/^${1//./\\.}=/d" "$file"; fi
  echo "$1=$2" >>"$file"
}

# default NAME VALUE: where nobody has said otherwise.
default() {
  grep -qs "^${1//./\\.}=" "$CONF/neo4j.conf" || printf '\n%s=%s\n' "$1" "$2" >>"$CONF/neo4j.conf"
}

# value NAME: as it stands in the configuration.
value() { sed -n "s/^${1//./\\.}=//p" "$CONF/neo4j.conf" | tail -1; }

# name VARIABLE: of its setting. Two underscores are one, one is a point.
name() {
  local name=${1#NEO4J_}
  name=${name//_/.}
  echo "${name//../_}"
}

mounted() {
  local folder
  if [ -d /conf ]; then
    rm -rf "${CONF:?}"/*
    find /conf -type f -exec cp --preserve=ownership,mode '{}' "$CONF" ';'
  fi
  for folder in plugins import licenses; do
    if [ -d "/$folder" ]; then setting "server.directories.$folder" "/$folder"; fi
  done
  setting server.directories.logs /logs
  for folder in /logs /data /data/databases /data/dbms /data/transactions; do ours "$folder"; done
}

settings() {
  local variable
  default server.memory.pagecache.size 512M
  default server.default_listen_address 0.0.0.0
  # Nobody but root writes there: no process id of a run that was killed is ever found and believed.
  default server.directories.run /run
  for variable in $(compgen -e NEO4J_); do
    case $OWN in
      *" $variable "*) ;;
      *) [ -z "${!variable}" ] || setting "$(name "$variable")" "${!variable}" ;;
    esac
  done
}

# password: of the first start alone. Where users are stored already it would change nothing, and costs a Java.
password() {
  local auth=${NEO4J_AUTH:-} more=()
  if [ -n "${NEO4J_AUTH_PATH:-}" ]; then auth=$(<"$NEO4J_AUTH_PATH"); fi
  case $auth in
    '') return ;;
    none)
      setting dbms.security.auth_enabled false
      return
      ;;
    neo4j/neo4j | neo4j/neo4j/*)
      echo "Invalid value for password. It cannot be 'neo4j', which is the default." >&2
      exit 1
      ;;
    neo4j/?*) auth=${auth#neo4j/} ;;
    */*)
      echo 'Invalid admin username, it must be neo4j.' >&2
      exit 1
      ;;
    *)
      echo "Invalid value for NEO4J_AUTH: '$auth'" >&2
      exit 1
      ;;
  esac
  case $auth in
    */[tT][rR][uU][eE]) auth=${auth%/*} more=(--require-password-change) ;;
    *) ;;
  esac
  [ ! -d "$(data)/databases/system" ] || return 0
  if [ -n "$owner" ]; then install -d -o neo4j -g neo4j "$(data)/dbms"; fi
  "${become[@]}" neo4j-admin dbms set-initial-password "$auth" "${more[@]}"
}

data() {
  local data
  data=$(value server.directories.data)
  echo "${data:-/data}"
}

# server: the command that `neo4j console` would start, which would cost a Java of its own; so it is tini's own child.
server() {
  local additional initial max
  mapfile -t additional < <(sed -n 's/^server\.jvm\.additional=//p' "$CONF/neo4j.conf")
  initial=$(value server.memory.heap.initial_size) max=$(value server.memory.heap.max_size)
  run=(java -cp "$CONF/*:$NEO4J_HOME/lib/*" "${additional[@]}" -Dfile.encoding=UTF-8 ${initial:+"-Xms$initial"} ${max:+"-Xmx$max"}
    org.neo4j.server.CommunityEntryPoint "--home-dir=$NEO4J_HOME" "--config-dir=$CONF" --console-mode)
}

if [ -n "$owner" ]; then
  find "$NEO4J_HOME" ! -user neo4j -exec chown -h "$owner" '{}' +
  chmod 700 "$NEO4J_HOME"
fi
mounted
settings
if [ "${1:-}" = neo4j ]; then
  password
  server
  set -- "${run[@]}"
fi
exec "${become[@]}" "$@"
