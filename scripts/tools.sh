#!/usr/bin/env bash
# tools.sh [cargo-deb]: installs the checkers of CI, or what makes Debian packages, into the user's cache, by pinned version, and prints
# the folders to put on PATH. Debug builds: they run for seconds, and build in a third of the time.
set -euo pipefail

CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/stillpoint/tools
LOG=$CACHE/install.log
mkdir -p "$CACHE"

# install CRATE VERSION OPTIONS…
install() {
  local crate=$1 version=$2
  local place=$CACHE/$crate-$version
  if [ ! -x "$place/bin/$crate" ]; then
    echo "tools: building $crate $version" >&2
    # A target folder of its own: the project's is busy beside us.
    CARGO_TARGET_DIR=$CACHE/target cargo install "$crate" --version "$version" --locked --debug --quiet \
      --root "$place" "${@:3}" >>"$LOG" 2>&1 || { tail -20 "$LOG" >&2; echo "tools: $crate cannot be built, see $LOG" >&2; exit 1; }
  fi
  printf '%s:' "$place/bin"
}

exec 9>"$CACHE/lock"
flock 9
if [ "${1:-}" = cargo-deb ]; then
  install cargo-deb 3.8.0
else
  install cargo-nextest 0.9.151 --no-default-features --features default-no-update
  install cargo-machete 0.9.2
  install cargo-deny 0.20.2
  # The documentation as a book; without what serves it.
  install mdbook 0.5.4 --no-default-features --features search
fi
rm -rf "$CACHE/target"
