#!/usr/bin/env bash
# Builds the program without any shared library, and an image of nothing else: stillpoint:VERSION and stillpoint:latest.
# Needs Rust, Docker, and the system's certificates (Debian: ca-certificates). PROFILE=dev builds faster.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
target=$(rustc --version --verbose | sed -n 's/^host: //p')
profile=${PROFILE:-release}
folder=${CARGO_TARGET_DIR:-target}/$target/${profile/#dev/debug}
# A target of its own: these flags must not make everything else be built anew.
RUSTFLAGS="-C target-feature=+crt-static ${RUSTFLAGS:-}" \
    cargo build --locked --profile "$profile" --package stillpoint --target "$target"
version=$("$folder/stillpoint" version | sed -n '1s/[^0-9]*\([0-9][^ ]*\).*/\1/p')
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
cp "$folder/stillpoint" /etc/ssl/certs/ca-certificates.crt ops/images/stillpoint/Dockerfile "$context"
DOCKER_BUILDKIT=0 docker build --quiet --tag "stillpoint:$version" --tag stillpoint:latest "$context"
echo "stillpoint:$version"
