"""milvus_ticks.py ready | last | write N, and the databases: the witness's words with Milvus. An insert is in its log on disk when it is
acknowledged; it is read back before a tick is one."""

import hashlib
import sys
from concurrent.futures import ThreadPoolExecutor

from milvus import Milvus, Refused, common, schema

LIMIT = 8


def proof(n):
    return hashlib.sha256(str(n).encode()).hexdigest()


def is_settled(server):
    """Whether what it shows is its last word: a server that was started loads what it had loaded, and answers only then."""
    if "witness" not in server.collections():
        return True
    if server.call("GetLoadState", collection_name="witness").state == common.LoadStateNotLoad:
        return True
    try:
        return server.count("witness") >= 0
    except Refused:
        return False


def last(server):
    if "witness" not in server.collections():
        return "missing"
    rows = {row["n"]: row["proof"] for row in server.query("witness", "n >= 0", ["n", "proof"])}
    whole = sorted(rows) == list(range(len(rows))) and all(text == proof(n) for n, text in rows.items())
    return len(rows) - 1 if rows and whole else "damaged"


def write(server, n):
    held = lambda: [row["proof"] for row in server.query("witness", f"n == {n}", ["proof"])]  # noqa: E731
    # No key is unique here: what was acknowledged to nobody may be there already.
    if not held():
        tick = {"n": (schema.Int64, [n]), "proof": (schema.VarChar, [proof(n)]), "vec": (schema.FloatVector, [[float(n), 1.0]])}
        server.insert("witness", tick)
    return held() == [proof(n)]


def main(word, *words):
    number, databases = (int(words[0]), words[1:]) if word == "write" else (None, words)
    servers = [Milvus(database, limit=LIMIT) for database in databases]
    if word == "ready":
        return "seeded" in servers[0].collections() and all(map(is_settled, servers))
    with ThreadPoolExecutor() as side_by_side:
        if word == "write":
            return all(side_by_side.map(lambda server: write(server, number), servers))
        for database, seen in zip(databases, side_by_side.map(last, servers)):
            print(f"milvus/{database} {seen}")
    return True


try:
    sys.exit(not main(*sys.argv[1:]))
except Refused as refused:
    sys.exit(str(refused))
