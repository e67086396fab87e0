#!/usr/bin/env bash
# static.sh [--place]: builds the program without any shared library, or says where it stands. PROFILE=dev builds faster.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
target=$(rustc --version --verbose | sed -n 's/^host: //p')
profile=${PROFILE:-release}
folder=${CARGO_TARGET_DIR:-target}/$target/${profile/#dev/debug}
if [ "${1:-}" = --place ]; then
  echo "$folder/stillpoint"
  exit
fi
commit=$(git rev-parse --short=12 HEAD 2>/dev/null || true)
[ -z "$commit" ] || git diff --quiet HEAD || commit+=-modified
crates=${CARGO_HOME:-$HOME/.cargo}
# No folder of this machine is in the program: neither ours, nor that of the crates, nor the compiler's.
maps=("$PWD=/stillpoint" "$crates=/cargo" "$(rustc --print sysroot)=/rust")
flags="-C target-feature=+crt-static"
for map in "${maps[@]}"; do
  flags+=" --remap-path-prefix=$map"
  CFLAGS+=" -ffile-prefix-map=$map"
done
# A target of its own: these flags must not make everything else be built anew.
CFLAGS=${CFLAGS:-} STILLPOINT_COMMIT=$commit RUSTFLAGS="$flags ${RUSTFLAGS:-}" \
  cargo build --locked --profile "$profile" --package stillpoint --target "$target"
