# shellcheck shell=bash
# Two databases have a collection `witness`, always loaded: a row (n, proof) for each tick, with the tick's SHA-256 in it, never changed.
# The seed makes that of tick 0. The client starts in a tenth of a second; an answer of a strictly consistent query takes two to four.

MILVUS_DATABASES=(default second)

milvus() {
  MILVUS_ADDRESS=${WITNESS_MILVUS_ADDRESS:-} MILVUS_USER=root MILVUS_PASSWORD=${WITNESS_MILVUS_PASSWORD:-} \
    timeout 20 python3 "$LIB/stores/milvus_ticks.py" "$@" "${MILVUS_DATABASES[@]}" 2>/dev/null
}

# The seed's last act is a collection `seeded`: from then on a server without its witness is a loss. One that was started a moment ago may
# still be loading it.
milvus_ready() { milvus ready; }

milvus_last() { milvus last || printf 'milvus/%s unreadable\n' "${MILVUS_DATABASES[@]}"; }

# All databases at once: a tick takes as long as one of them. One that is tried again is there once all the same.
milvus_write() { milvus write "$1"; }
