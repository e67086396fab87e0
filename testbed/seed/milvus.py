"""milvus.py SCALE: fills a fresh Milvus, and puts what belongs to others into its etcd and its bucket. The same scale gives the same rows;
chance are only the ids that the server gives. About 2 MB for each unit of scale."""

import hashlib
import json
import os
import subprocess
import sys
import urllib.request
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor

from milvus import common, first_login, pair, password, schema

# As texts, as keys, in JSON: what a format may lose.
AWKWARD = ["", " ", "it's \"quoted\" `here` \\", "two\nlines\r\n\ttab", "Grüße ✓ 🙂 e\u0301 \u05d0\u05d1", "100%_[a]", "NULL", "nul\u0000inside",
           "x" * 400]
# Where an index for texts is loaded, this server answers from it, and loses what follows a NUL.
TITLES = [text.replace("\0", "") for text in AWKWARD]


# -- schemas --------------------------------------------------------------------------------------------------------------------


def column(name, kind, description="", **params):
    flags = {flag: params.pop(flag) for flag in ("is_primary_key", "autoID", "is_partition_key") if flag in params}
    element = params.pop("element_type", schema.DataType.Value("None"))
    typed = [pair(key, value) for key, value in params.items()]
    return schema.FieldSchema(name=name, data_type=kind, description=description, element_type=element, type_params=typed, **flags)


def key(**flags):
    return column("id", schema.Int64, is_primary_key=True, **flags)


def vector(dim, name="vec"):
    return column(name, schema.FloatVector, dim=dim)


def create(server, name, *columns, description="", dynamic=False, shards=1, level=common.Strong, partitions=(), **more):
    described = schema.CollectionSchema(name=name, description=description, fields=columns, enable_dynamic_field=dynamic,
                                        autoID=any(one.autoID for one in columns))
    server.call("CreateCollection", collection_name=name, schema=described.SerializeToString(), shards_num=shards, consistency_level=level,
                **more)
    for partition in partitions:
        server.call("CreatePartition", collection_name=name, partition_name=partition)


# -- rows -----------------------------------------------------------------------------------------------------------------------


def numbers(seed, count):
    """Always the same, hardly compressible numbers below 1."""
    x = (seed * 7919 + 1) % 2147483647
    for _ in range(count):
        x = x * 16807 % 2147483647
        yield x / 2147483647


def vectors(ids, dim):
    return (schema.FloatVector, [[2 * x - 1 for x in numbers(n, dim)] for n in ids])


def value(n):
    """A JSON value of every kind, at every depth."""
    return [{"n": n, "text": AWKWARD[n % 9], "list": [n, None, True, {"deep": -0.5}]}, {}, {"big": 2 ** 53 + n, "tiny": 5e-324, "": "no name"},
            {"ü \"key\"": [[], [[]]]}][n % 4]


def documents(ids):
    ids = list(ids)
    return {
        "id": (schema.Int64, ids),
        "title": (schema.VarChar, [TITLES[n % 9] + f" {n}" * (n % 5) for n in ids]),
        "price": (schema.Double, [[0.1, -0.0, 1.7976931348623157e308, 5e-324, n / 7][n % 5] for n in ids]),
        "ratio": (schema.Float, [n / 1024 for n in ids]),
        "tiny": (schema.Int8, [n % 256 - 128 for n in ids]),
        "small": (schema.Int16, [n * 7919 % 65536 - 32768 for n in ids]),
        "middle": (schema.Int32, [(n * 7919 ** 2) % 2 ** 32 - 2 ** 31 for n in ids]),
        "valid": (schema.Bool, [n % 3 == 0 for n in ids]),
        "meta": (schema.JSON, [value(n) for n in ids]),
        "pages": (schema.Array, [schema.ScalarField(long_data=schema.LongArray(data=range(n % 6))) for n in ids]),
        "vec": vectors(ids, 32),
    }


DOCUMENT = [
    key(),
    column("title", schema.VarChar, "has \"every\"\nü character", max_length=1000),
    column("price", schema.Double),
    column("ratio", schema.Float),
    column("tiny", schema.Int8),
    column("small", schema.Int16),
    column("middle", schema.Int32),
    column("valid", schema.Bool),
    column("meta", schema.JSON),
    column("pages", schema.Array, element_type=schema.Int64, max_capacity=16),
    vector(32),
]

HNSW = {"index_type": "HNSW", "params": {"M": 16, "efConstruction": 100}}
FLAT = {"index_type": "FLAT", "params": {}}

def settle(server, name, partitions=None):
    """Flushed, indexed, and loaded unless that is not wanted."""
    server.flush(name)
    server.await_indexes(name)
    if partitions is not None:
        server.load(name, partitions)


# -- collections ----------------------------------------------------------------------------------------------------------------


def all_types(server, scale):
    """Every type of value in three partitions, an index for the vectors and two for scalars, two aliases; loaded."""
    create(server, "documents", *DOCUMENT, description="it's \"documents\" ✓\n", partitions=["invoices", "Contracts_2"])
    server.index("documents", "vec", "by_meaning", metric_type="COSINE", **HNSW)
    server.index("documents", "title", "by_title", index_type="Trie")
    server.index("documents", "price", "by_price", index_type="STL_SORT")
    for at, partition in enumerate(["_default", "invoices", "Contracts_2"]):
        for unit in range(scale):
            first = (unit * 3 + at) * 1200
            server.insert("documents", documents(range(first, first + 1200)), partition)
    settle(server, "documents")
    # A second version of a row, and two that are no more. Before the load: after it, this server may still answer with the first version.
    server.insert("documents", {**documents([7]), "title": (schema.VarChar, ["changed"])}, call="Upsert")
    server.delete("documents", "id in [11, 1213]")
    server.load("documents")
    for alias in ("docs", "current_documents"):
        server.call("CreateAlias", collection_name="documents", alias=alias)


def deleted_rows(server, scale):
    """Two shards, rows deleted before and after they were flushed, rows that never were, a limit of age; loaded."""
    # Given later, this server loses it when it is started again.
    age = [pair("collection.ttl.seconds", 3000000000)]
    create(server, "chunks", key(), column("cat", schema.VarChar, max_length=64), vector(16), shards=2, level=common.Bounded, properties=age)
    server.index("chunks", "vec", "ivf", metric_type="L2", index_type="IVF_FLAT", params={"nlist": 64})

    def insert(first, count):
        ids = range(first, first + count)
        server.insert("chunks", {"id": (schema.Int64, ids), "cat": (schema.VarChar, [f"cat {n % 7}" for n in ids]), "vec": vectors(ids, 16)})

    for unit in range(scale):
        insert(unit * 3000, 3000)
    server.delete("chunks", f"id in {list(range(100))}")
    settle(server, "chunks", partitions=[])
    server.delete("chunks", f"id in {list(range(1000, 1050))}")
    insert(10 ** 9, 50)
    server.delete("chunks", f"id in {list(range(10 ** 9, 10 ** 9 + 5))}")


def dynamic_field(server, scale):
    """Values beside the schema, of which each row has its own; searched exactly; released."""
    create(server, "notes", key(), vector(8), dynamic=True, level=common.Eventually)
    server.index("notes", "vec", "exact", metric_type="IP", **FLAT)
    for unit in range(scale):
        ids = range(unit * 1500, (unit + 1) * 1500)
        loose = [{f"key {n % 5}": value(n), "n": n, "ü": None} if n % 4 else {} for n in ids]
        server.insert("notes", {"id": (schema.Int64, ids), "vec": vectors(ids, 8), "$meta": (schema.JSON, loose)})
    settle(server, "notes")


def text_keys(server, scale):
    """Texts as keys, bits as vectors, too few rows for an index; one of two partitions loaded."""
    create(server, "fingerprints", column("name", schema.VarChar, is_primary_key=True, max_length=1000), column("bits", schema.BinaryVector, dim=64),
           partitions=["loaded", "at_rest"])
    server.index("fingerprints", "bits", "bits_index", metric_type="HAMMING", index_type="BIN_FLAT", params={})
    for at, partition in enumerate(["loaded", "at_rest"]):
        names = [f"{text}{at}{n}" for n in range(20 * scale) for text in AWKWARD]
        bits = [bytes(int(x * 256) for x in numbers(n, 8)) for n in range(len(names))]
        server.insert("fingerprints", {"name": (schema.VarChar, names), "bits": (schema.BinaryVector, bits)}, partition)
    settle(server, "fingerprints", partitions=["loaded"])


def given_by_the_server(server, scale):
    """Ids that the server gives, partitions that it chooses; loaded."""
    create(server, "events", key(autoID=True), column("tenant", schema.VarChar, max_length=32, is_partition_key=True), vector(4), num_partitions=4)
    server.index("events", "vec", "exact", metric_type="L2", **FLAT)
    ids = range(400 * scale)
    server.insert("events", {"tenant": (schema.VarChar, [f"tenant {n % 13}" for n in ids]), "vec": vectors(ids, 4)}, partition="")
    settle(server, "events", partitions=[])


def without_index(server):
    """What cannot be loaded: rows without an index, and no row at all."""
    create(server, "raw", key(), vector(4), shards=2)
    server.insert("raw", {"id": (schema.Int64, range(200)), "vec": vectors(range(200), 4)})
    server.flush("raw")
    create(server, "_empty_2", key(), vector(4), level=common.Session)


def removed(server):
    """What was there: a collection, a partition, an index, an alias, a database."""
    create(server, "gone", key(), vector(4))
    server.insert("gone", {"id": (schema.Int64, range(10)), "vec": vectors(range(10), 4)})
    server.flush("gone")
    server.call("DropCollection", collection_name="gone")
    create(server, "reduced", key(), vector(4), partitions=["gone"])
    server.call("DropPartition", collection_name="reduced", partition_name="gone")
    server.index("reduced", "vec", "gone", metric_type="L2", **FLAT)
    server.call("DropIndex", collection_name="reduced", index_name="gone")
    server.call("CreateAlias", collection_name="reduced", alias="gone")
    server.call("DropAlias", alias="gone")
    server.call("CreateDatabase", db_name="gone")
    server.call("DropDatabase", db_name="gone")


def second_database(server, scale):
    """The same names of a collection and an alias as in the first one."""
    for name in ("second", "_empty_database"):
        server.call("CreateDatabase", db_name=name)
    second = server.at("second")
    create(second, "documents", key(), vector(16))
    second.index("documents", "vec", "by_meaning", metric_type="L2", index_type="HNSW", params={"M": 8, "efConstruction": 64})
    for unit in range(scale):
        ids = range(unit * 1100, (unit + 1) * 1100)
        second.insert("documents", {"id": (schema.Int64, ids), "vec": vectors(ids, 16)})
    settle(second, "documents", partitions=[])
    second.call("CreateAlias", collection_name="documents", alias="docs")
    witness(second)


# -- users ----------------------------------------------------------------------------------------------------------------------

# The user, the password, and one that it had before.
USERS = [("alice", "alice-secret", "first-secret"), ("odd_User_2", "odd \"secret\" ✓", None), ("nobody", "nobody-secret", None)]
# The role, its members, and what it may do: a privilege on an object of a kind in a database.
ROLES = [
    ("readers", ["alice", "odd_User_2"], [("Search", "Collection", "documents", "default"), ("Query", "Collection", "documents", "default"),
                                          ("Query", "Collection", "documents", "second"), ("DescribeCollection", "Global", "*", "*")]),
    ("writers", ["odd_User_2"], [("Insert", "Collection", "*", "second")]),
    ("empty_role", [], []),
]


def users(server):
    for user, secret, before in USERS:
        server.call("CreateCredential", username=user, password=password(before or secret))
        if before:
            server.call("UpdateCredential", username=user, oldPassword=password(before), newPassword=password(secret))
    for role, members, grants in ROLES:
        server.call("CreateRole", entity={"name": role})
        for member in members:
            server.call("OperateUserRole", username=member, role_name=role)
        for privilege, kind, name, database in grants:
            server.call("OperatePrivilege", entity={"role": {"name": role}, "object": {"name": kind}, "object_name": name, "db_name": database,
                                                    "grantor": {"privilege": {"name": privilege}}})
    server.call("CreateCredential", username="gone", password=password("gone-secret"))
    server.call("DeleteCredential", username="gone")


# -- strangers ------------------------------------------------------------------------------------------------------------------


def strangers():
    """In etcd keys around the prefix of this server, another one's, and a filer's; in the bucket names around this server's folder."""
    keys = ["by-dev", "by-dev-2/meta/x", "by-dev.", "by-dev0", "by-dev0/meta", "by-de", "by-other/meta/root-coord/fields/1/2",
            "by-other/kv/gid/timestamp", "/buckets\x00name", "zz/\x00\xff"]
    for n, name in enumerate(keys):
        body = {"key": b64encode(name.encode("latin1")).decode(), "value": b64encode(bytes([n, 0, 255]) * (n + 1)).decode()}
        urllib.request.urlopen(f"{os.environ['ETCD_HTTP']}/v3/kv/put", json.dumps(body).encode(), timeout=10).read()
    for bucket, name in [("milvus-bucket", "files-2/foreign"), ("milvus-bucket", "filesx"), ("milvus-bucket", "backup/files/of others.txt"),
                         ("another-bucket", "files/insert_log/1")]:
        s3(f"{bucket}/{name.replace(' ', '%20')}", "--request", "PUT", "--data-binary", "@-", content=f"not Milvus': {bucket} {name}")


def s3(path, *options, content=""):
    curl = ["curl", "-sS", "--fail-with-body", "--retry", "5", "--retry-all-errors", "--max-time", "20", "--aws-sigv4", "aws:amz:us-east-1:s3", "--user",
            os.environ["S3_USER"], *options, f"{os.environ['S3_HTTP']}/{path}"]
    subprocess.run(curl, input=content.encode(), check=True, stdout=subprocess.DEVNULL)


# -- the whole ------------------------------------------------------------------------------------------------------------------


def ready():
    server = first_login()
    if server.databases() != ["default"] or server.collections():
        sys.exit("this Milvus is seeded already")
    return server


def witness(server):
    """Its place in a database, with tick 0 (images/witness/stores/milvus.sh)."""
    create(server, "witness", column("n", schema.Int64, is_primary_key=True), column("proof", schema.VarChar, max_length=64), vector(2))
    tick = {"n": (schema.Int64, [0]), "proof": (schema.VarChar, [hashlib.sha256(b"0").hexdigest()]), "vec": (schema.FloatVector, [[0.0, 1.0]])}
    server.index("witness", "vec", "exact", metric_type="L2", **FLAT)
    server.insert("witness", tick)
    server.load("witness")


def main(scale):
    server = ready()
    acts = [lambda act=act: act(server, scale)
            for act in (all_types, deleted_rows, dynamic_field, text_keys, given_by_the_server, second_database)]
    acts += [lambda: without_index(server), lambda: removed(server), lambda: users(server), lambda: witness(server), strangers]
    # Most of the time the server waits for its own clocks.
    with ThreadPoolExecutor(len(acts)) as side_by_side:
        for ended in [side_by_side.submit(act) for act in acts]:
            ended.result()
    # The mark that the seed is whole (images/witness/stores/milvus.sh waits for it).
    create(server, "seeded", key(), vector(2))


main(int(sys.argv[1]))
