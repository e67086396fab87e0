#!/usr/bin/env bash
# build.sh [FOLDER]: what is given to hosts, in FOLDER (dist): the static program with its units, pages of the manual and completions as
# an archive, and as a package for Debian. The same commit gives the same bytes, whatever the folder and the user.
# Needs Rust, and cargo-deb, which is built into the user's cache where it is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
out=$(realpath -m "${1:-dist}")

# What could tell one build from another: the time, the folders, the user's habits.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH LC_ALL=C TZ=UTC
umask 022
ops/dist/static.sh
program=$(ops/dist/static.sh --place)
version=$("$program" version --json | sed -n 's/.*"stillpoint": *"\([^"]*\)".*/\1/p')
name=stillpoint-$version-$(uname -m)-linux

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/$name
mkdir -p "$tree"/{bin,man,completions,systemd,compose,prometheus,grafana}
install -m 755 "$program" "$tree/bin/stillpoint"
"$program" man --output "$tree/man"
for shell in bash zsh fish; do "$program" completions "$shell" >"$tree/completions/stillpoint.$shell"; done
install -m 644 ops/*.service ops/*.timer "$tree/systemd/"
install -m 644 ops/compose/*.yaml "$tree/compose/"
install -m 644 ops/prometheus/alerts.yaml "$tree/prometheus/"
install -m 644 ops/grafana/*.json "$tree/grafana/"
install -m 644 LICENSE README.md "$tree/"

mkdir -p "$out"
tar -C "$work" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" -c "$name" |
  gzip -n -9 >"$out/$name.tar.gz"

# The package has the program where packages have theirs. Nothing is begun by installing it: a first backup stops clients.
staged=target/package
rm -rf "$staged"
mkdir -p target
cp -a "$tree" "$staged"
sed -i 's|/usr/local/bin/stillpoint|/usr/bin/stillpoint|' "$staged"/systemd/*
gzip -n -9 "$staged"/man/*
find "$staged" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
PATH=$(scripts/tools.sh cargo-deb)$PATH cargo deb --quiet --package stillpoint --no-build --no-strip --output "$out/"
(cd "$out" && sha256sum -- *.tar.gz *.deb >SHA256SUMS)
ls -l "$out"
