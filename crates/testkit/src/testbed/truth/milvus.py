"""Tells a Milvus's truth, a JSON object for each fact: what stands in every database, users and what they may do, and what is beside it in its
etcd and its bucket. A collection or partition that is not loaded is loaded for the look, and released again."""

import hashlib
import json
import os
import subprocess
import sys
import urllib.request
from base64 import b64decode, b64encode
from concurrent.futures import ThreadPoolExecutor
from xml.etree import ElementTree

from milvus import Milvus, Refused, common, schema

# So many rows are asked for at once.
PAGE = 10000
# The passwords of the seed, those that were changed too.
LOGINS = [("root", "Milvus"), ("root", os.environ["MILVUS_PASSWORD"]), ("alice", "first-secret"), ("alice", "alice-secret"),
          ("odd_User_2", "odd \"secret\" ✓"), ("nobody", "nobody-secret")]


def fact(place, name, value):
    # In one piece: several tell at once.
    sys.stdout.write(json.dumps({"place": place, "fact": name, "is": value}) + "\n")


def pairs(all_of_them):
    return {pair.key: pair.value for pair in all_of_them}


# -- collections ----------------------------------------------------------------------------------------------------------------


def shown(field):
    kind = schema.DataType.Name(field.data_type)
    kept = {"name": field.name, "type": kind, "description": field.description, "params": pairs(field.type_params)}
    if field.element_type:
        kept["of"] = schema.DataType.Name(field.element_type)
    flags = ("is_primary_key", "autoID", "is_dynamic", "is_partition_key")
    return kept | {flag: True for flag in flags if getattr(field, flag)}


class Collection:
    def __init__(self, server, name):
        self.server, self.name = server, name
        self.described = server.call("DescribeCollection", collection_name=name)
        self.fields = self.described.schema.fields
        self.key = next(field for field in self.fields if field.is_primary_key)
        self.partitions = server.partitions(name)
        self.indexes = self.find_indexes()

    def find_indexes(self):
        try:
            return self.server.call("DescribeIndex", collection_name=self.name).index_descriptions
        except Refused:
            return []

    def state(self, partitions=()):
        asked = self.server.call("GetLoadState", collection_name=self.name, partition_names=partitions)
        return common.LoadState.Name(asked.state).removeprefix("LoadState")

    def schema(self):
        is_ = self.described
        return {
            "description": is_.schema.description,
            "fields": [shown(field) for field in self.fields],
            "dynamic": is_.schema.enable_dynamic_field,
            "autoID": is_.schema.autoID,
            "shards": is_.shards_num,
            "consistency": common.ConsistencyLevel.Name(is_.consistency_level),
            "properties": pairs(is_.properties),
            "partitions": self.partitions,
        }

    def load_state(self):
        states = {partition: self.state([partition]) for partition in self.partitions}
        return {"collection": self.state(), "partitions": states}

    def is_loadable(self):
        vectors = [field.name for field in self.fields if field.data_type in (schema.FloatVector, schema.BinaryVector)]
        return {index.field_name for index in self.indexes} >= set(vectors)

    def looked_at(self, states, look):
        """Runs with all partitions loaded, and leaves those loaded that were."""
        absent = [partition for partition, state in states["partitions"].items() if state != "Loaded"]
        whole = len(absent) == len(self.partitions)
        if absent:
            self.server.load(self.name, [] if whole else absent)
        shown = lambda: self.answers([] if whole else absent)  # noqa: E731
        try:
            self.server.until(f"rows of {self.name}", shown)
            try:
                return look()
            except Refused:
                # What it has loaded moves now and then, and is not answered with meanwhile.
                self.server.until(f"rows of {self.name}", shown)
                return look()
        finally:
            if whole:
                self.server.call("ReleaseCollection", collection_name=self.name)
            elif absent:
                self.server.call("ReleasePartitions", collection_name=self.name, partition_names=absent)
            if absent:
                self.server.until(f"release of {self.name}", lambda: self.load_state() == states)

    def answers(self, added):
        """What is loaded is answered with later than it is said to be loaded; of partitions beside others, all at once."""
        try:
            self.server.count(self.name)
            return all(self.stored(partition) == 0 or self.server.count(self.name, partition) > 0 for partition in added)
        except Refused:
            return False

    def stored(self, partition):
        answer = self.server.call("GetPartitionStatistics", collection_name=self.name, partition_name=partition)
        return int(pairs(answer.stats)["row_count"])

    def rows(self):
        names = [field.name for field in self.fields if field.name != "$meta"] + ["$meta"] * self.described.schema.enable_dynamic_field
        vectors = [field.name for field in self.fields if field.data_type in (schema.FloatVector, schema.BinaryVector)]
        key = self.key.name
        # Where the server chooses the partition of a row, it answers for none of them alone.
        chooses = any(field.is_partition_key for field in self.fields)
        counts = {partition or "": self.server.count(self.name, partition) for partition in ([None] if chooses else self.partitions)}
        scalars, dense, seen = hashlib.sha256(), hashlib.sha256(), 0
        for page in self.pages(sum(counts.values())):
            for row in sorted(self.server.query(self.name, page, names), key=lambda row: row[key]):
                kept = {name: value for name, value in row.items() if name not in vectors}
                scalars.update(json.dumps(kept, sort_keys=True, default=lambda raw: raw.decode()).encode())
                dense.update(b"".join(row[name] for name in vectors))
                seen += 1
        return {"partitions": counts, "seen": seen, "scalars": scalars.hexdigest(), "vectors": dense.hexdigest()}

    def pages(self, count):
        key = self.key.name
        if self.key.data_type == schema.VarChar:
            return [f'{key} >= ""']
        parts = count // PAGE + 1
        return [f"{key} % {parts} == {part}" for part in range(parts)]

    def nearest(self, index):
        """What an exact index answers for a fixed vector."""
        params = pairs(index.params)
        dim = int(pairs(next(field for field in self.fields if field.name == index.field_name).type_params)["dim"])
        keys, scores = self.server.search(self.name, index.field_name, [0.5] * dim, params["metric_type"])
        return {"keys": keys, "scores": [round(score, 4) for score in scores]}

    def tell(self, place):
        name = self.name
        # A server that was started loads what it had loaded.
        self.server.until(f"load of {name}", lambda: self.state() != "Loading")
        fact(place, f"collection {name}", self.schema())
        for alias in self.described.aliases:
            fact(place, f"alias {alias}", name)
        for index in self.indexes:
            state = common.IndexState.Name(index.state)
            fact(place, f"index {index.index_name} of {name}", {"field": index.field_name, "params": pairs(index.params), "state": state})
        states = self.load_state()
        fact(place, f"load state of {name}", states)
        if name == "witness":
            return
        if not self.is_loadable():
            flushed = pairs(self.server.call("GetCollectionStatistics", collection_name=name).stats)
            fact(place, f"rows of {name}", {"flushed": flushed["row_count"]})
            return

        def look():
            exact = [index for index in self.indexes if pairs(index.params).get("index_type") == "FLAT"]
            answers = {f"nearest by {index.index_name} of {name}": self.nearest(index) for index in exact}
            return {f"rows of {name}": self.rows()} | answers

        for about, value in self.looked_at(states, look).items():
            fact(place, about, value)


# -- users ----------------------------------------------------------------------------------------------------------------------


def outcome(act):
    try:
        act()
        return "taken"
    except Refused as refused:
        return str(refused).split(", ")[0]


def users(server, databases):
    for name in server.users():
        answer = server.call("SelectUser", user={"name": name}, include_role_info=True)
        fact("milvus", f"user {name}", sorted(role.name for result in answer.results for role in result.roles))
    for result in server.call("SelectRole").results:
        grants = []
        for database in [*databases, "*"]:
            try:
                answer = server.call("SelectGrant", entity={"role": {"name": result.role.name}, "db_name": database})
            except Refused:
                continue
            grants += [f"{one.grantor.privilege.name} on {one.object.name} {one.object_name} in {one.db_name}" for one in answer.entities]
        fact("milvus", f"role {result.role.name}", sorted(set(grants)))
    for user, secret in LOGINS:
        as_user = Milvus(user=user, password=secret)
        fact("milvus", f"login {user} with {secret}", outcome(as_user.collections))
    for database, collection in [("default", "documents"), ("default", "chunks"), ("second", "documents")]:
        as_alice = Milvus(database, user="alice", password="alice-secret")
        fact("milvus", f"alice queries {database}.{collection}", outcome(lambda: as_alice.count(collection)).split(":")[0:2])


# -- what is beside it ----------------------------------------------------------------------------------------------------------


def etcd_keys():
    """All keys of etcd but this server's, by name: the value and how often it was written."""
    start, own = b"\0", b"by-dev/"
    while True:
        body = {"key": b64encode(start).decode(), "range_end": b64encode(b"\0").decode(), "limit": "1000"}
        answer = json.load(urllib.request.urlopen(f"{os.environ['ETCD_HTTP']}/v3/kv/range", json.dumps(body).encode(), timeout=20))
        for found in answer.get("kvs", []):
            name = b64decode(found["key"])
            if not name.startswith(own):
                yield name.decode("latin1"), {"value": found.get("value", ""), "version": found["version"]}
            start = name + b"\0"
        if not answer.get("more"):
            return


def objects(bucket):
    """Of a bucket: what is not in this server's folder."""
    curl = ["curl", "-sS", "--fail-with-body", "--max-time", "20", "--aws-sigv4", "aws:amz:us-east-1:s3", "--user", os.environ["S3_USER"]]
    token = ""
    while True:
        url = f"{os.environ['S3_HTTP']}/{bucket}?list-type=2" + (f"&continuation-token={token}" if token else "")
        asked = subprocess.run([*curl, url], capture_output=True)
        if b"NoSuchBucket" in asked.stdout:
            return
        asked.check_returncode()
        answer = ElementTree.fromstring(asked.stdout)
        space = answer.tag[:answer.tag.index("}") + 1]
        for found in answer.iter(f"{space}Contents"):
            name = found.find(f"{space}Key").text
            if not (bucket == "milvus-bucket" and name.startswith("files/")):
                yield name, {"size": found.find(f"{space}Size").text, "etag": found.find(f"{space}ETag").text}
        token = answer.findtext(f"{space}NextContinuationToken")
        if not token:
            return


def strangers():
    for name, value in etcd_keys():
        fact("milvus/strangers", f"key {name}", value)
    for bucket in ("milvus-bucket", "another-bucket"):
        for name, value in objects(bucket):
            fact("milvus/strangers", f"object {bucket}/{name}", value)


def main():
    server = Milvus()
    databases = server.databases()
    # An answer waits for the server's next tick of time, hence side by side.
    with ThreadPoolExecutor(16) as side_by_side:
        told = [side_by_side.submit(users, server, databases), side_by_side.submit(strangers)]
        for database in databases:
            at, place = server.at(database), f"milvus/{database}"
            fact(place, "database", True)
            told += [side_by_side.submit(Collection(at, name).tell, place) for name in at.collections()]
        for each in told:
            each.result()


main()
