#!/usr/bin/env bash
# setup.sh [demo]: installs what the testbed needs and this machine lacks: Docker Engine and debootstrap from Debian, Compose
# from PyPI; for the demo without what only tests need, and of the stores named by STORES alone.
# Does nothing, in well under a second, when all is there.
set -euo pipefail
# shellcheck source=env.sh
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"

FOR=${1:-tests}

# Whether the jars of Neo4j have to be there.
needs_neo4j() {
  [ "$FOR" != demo ] || [ -z "${STORES:-}" ] || [[ ,$STORES, == *,neo4j,* ]]
}

missing_packages() {
  command -v docker >/dev/null || echo docker.io
  # An engine that answers may be anybody's; only without one is a local one needed.
  engine_answers || [ -x /usr/sbin/dockerd ] || [ -x /usr/bin/dockerd ] || echo docker.io
  [ -x /usr/sbin/debootstrap ] || echo debootstrap
  command -v python3 >/dev/null || echo python3
  python3 -c 'import pip' 2>/dev/null || echo python3-pip
  command -v flock >/dev/null || echo util-linux
  # Backups are copied between a bucket and a directory with it, as docs/operating/by-hand.md says.
  command -v curl >/dev/null || echo curl
  ! needs_neo4j || [ -d "$NEO4J_JARS" ] || command -v mvn >/dev/null || echo maven
  [ "$FOR" != demo ] || return 0
  # Dumps of Neo4j are checked with it, as that page says.
  command -v zstd >/dev/null || echo zstd
  # The adapters' tests make their fixtures from it.
  [ -x /bin/busybox ] || echo busybox-static
  # A disk without hard links for the adapters' tests.
  [ -x /usr/sbin/mount.exfat-fuse ] || echo exfat-fuse
  command -v mkfs.exfat >/dev/null || echo exfatprogs
  # The pages are tried in it. Both are of one version.
  [ -x /usr/bin/chromium ] || echo chromium
  [ -x /usr/bin/chromedriver ] || echo chromium-driver
  # Fetch what pages and API are checked with.
  command -v npm >/dev/null || echo npm
  python3 -c 'import ensurepip' 2>/dev/null || echo python3-venv
}

install_packages() {
  say "installing $* (apt)"
  export DEBIAN_FRONTEND=noninteractive
  local log=$CACHE/apt.log
  # Stale lists name versions that the mirror no longer has: refresh once, then the answer is final.
  if ! compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null ||
    ! as_root apt-get install -y --no-install-recommends "$@" >"$log" 2>&1; then
    as_root apt-get update >"$log" 2>&1 || { tail -20 "$log" >&2; fail "apt-get update failed"; }
    as_root apt-get install -y --no-install-recommends "$@" >>"$log" 2>&1 ||
      { tail -20 "$log" >&2; fail "cannot install $*: see above, whole log in $log"; }
  fi
}

install_compose() {
  local plugin=$DOCKER_CONFIG/cli-plugins/docker-compose
  local pins=$TESTBED/pins/compose.txt
  # The pin is kept beside the program: another pin is another program.
  cmp -s "$pins" "$plugin.pin" && [ -x "$plugin" ] && return
  say "installing Compose (PyPI, pinned by hash)"
  pypi_script "$pins" docker-compose "$plugin"
  cp "$pins" "$plugin.pin"
}

# install_axe: of axe-core, which looks for what keeps somebody from using a page, the one file; by npm, whose registry may be a mirror.
install_axe() {
  local pins=$TESTBED/pins/axe-core.txt folder=$CACHE/axe-core work version hash
  cmp -s "$pins" "$folder/pin" && return
  read -r version hash <"$pins"
  say "installing axe-core (npm, pinned by hash)"
  work=$(mktemp -d)
  (cd "$work" && npm pack --silent "axe-core@$version" >/dev/null) || fail "cannot download what $pins pins"
  echo "$hash  $work/axe-core-$version.tgz" | sha512sum --check --quiet || fail "axe-core $version is not what $pins pins"
  tar -xzf "$work/axe-core-$version.tgz" -C "$work" package/axe.min.js
  mkdir -p "$folder"
  mv "$work/package/axe.min.js" "$folder/"
  cp "$pins" "$folder/pin"
  rm -rf "$work"
}

# install_html_validate: which says whether a page is HTML; npm checks each package against the lock.
install_html_validate() {
  local pins=$TESTBED/pins/html-validate folder=$CACHE/html-validate
  cmp -s "$pins/package-lock.json" "$folder/pin" && return
  say "installing html-validate (npm, pinned by hash)"
  rm -rf "$folder"
  mkdir -p "$folder"
  cp "$pins"/package*.json "$folder/"
  (cd "$folder" && npm ci --silent --ignore-scripts >/dev/null) || fail "cannot download what $pins pins"
  cp "$pins/package-lock.json" "$folder/pin"
}

# install_schemathesis: which asks an HTTP API for all that its description allows, and more.
install_schemathesis() {
  local pins=$TESTBED/pins/schemathesis.txt folder=$CACHE/schemathesis
  cmp -s "$pins" "$folder/pin" && [ -x "$folder/bin/schemathesis" ] && return
  say "installing schemathesis (PyPI, pinned by hash)"
  rm -rf "$folder"
  python3 -m venv "$folder"
  "$folder/bin/pip" install --quiet --disable-pip-version-check --require-hashes --requirement "$pins" ||
    fail "cannot download what $pins pins"
  cp "$pins" "$folder/pin"
}

# install_promtool: of Debian's package of Prometheus the one program that tries alert rules; the server is not wanted.
install_promtool() {
  local folder=$CACHE/promtool work
  [ ! -x "$folder/promtool" ] || return 0
  say "installing promtool (apt)"
  work=$(mktemp -d)
  (cd "$work" && { apt-get download -q prometheus >/dev/null 2>&1 || { as_root apt-get update >/dev/null && apt-get download -q prometheus >/dev/null; }; }) ||
    fail "cannot download Debian's package prometheus"
  dpkg-deb -x "$work"/prometheus_*.deb "$work/unpacked"
  mkdir -p "$folder"
  mv "$work/unpacked/usr/bin/promtool" "$folder/"
  rm -rf "$work"
}

exec 8>"$CACHE/setup.lock"
flock 8
mapfile -t packages < <(missing_packages | sort -u)
[ ${#packages[@]} = 0 ] || install_packages "${packages[@]}"
# From Debian 13 on the client is a package of its own.
command -v docker >/dev/null || install_packages docker-cli
install_compose
if [ "$FOR" != demo ]; then
  install_axe
  install_html_validate
  install_schemathesis
  install_promtool
fi
# No package of Debian 12 is new enough, so this much is left to whoever sits here.
[ -x "$NATS_CLI" ] || can_build_nats_cli ||
  fail "Go $NATS_CLI_GO or newer is needed once, to build the stock nats CLI: install it and put 'go' on PATH"
