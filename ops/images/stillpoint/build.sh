#!/usr/bin/env bash
# Builds the program without any shared library, and an image of nothing else: stillpoint:VERSION and stillpoint:latest.
# Needs Rust, Docker, and the system's certificates (Debian: ca-certificates). PROFILE=dev builds faster.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
ops/dist/static.sh
program=$(ops/dist/static.sh --place)
version=$("$program" version | sed -n '1s/[^0-9]*\([0-9][^ ]*\).*/\1/p')
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
cp "$program" /etc/ssl/certs/ca-certificates.crt ops/images/stillpoint/Dockerfile "$context"
DOCKER_BUILDKIT=0 docker build --quiet --tag "stillpoint:$version" --tag stillpoint:latest "$context"
echo "stillpoint:$version"
