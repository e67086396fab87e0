"""A few words with Milvus over gRPC, in the messages of its own protocol: for the seed, the witness, and tests that look at it past the
product. Knows nothing of what is in the collections. (The official client costs a second for every start and a hundred megabytes.)

Where and as whom: MILVUS_ADDRESS, MILVUS_USER, MILVUS_PASSWORD."""

import base64
import json
import os
import struct
import time

import grpc
from milvus_protocol import common_pb2 as common
from milvus_protocol import milvus_pb2 as calls
from milvus_protocol import milvus_pb2_grpc as service
from milvus_protocol import schema_pb2 as schema

# For a call over everything, in seconds.
LIMIT = 120
# Of a server that is nobody's yet.
FIRST_PASSWORD = "Milvus"


class Refused(Exception):
    """What the server answers that is no success."""


class Milvus:
    """A server, asked by one of its users, in one of its databases."""

    def __init__(self, database="default", user=None, password=None, limit=LIMIT):
        user, password = user or os.environ["MILVUS_USER"], password or os.environ["MILVUS_PASSWORD"]
        self.login, self.limit, self.database = base64.b64encode(f"{user}:{password}".encode()).decode(), limit, database
        unbounded = [(f"grpc.max_{way}_message_length", -1) for way in ("send", "receive")]
        self.stub = service.MilvusServiceStub(grpc.insecure_channel(os.environ["MILVUS_ADDRESS"], options=unbounded))

    def at(self, database):
        """The same in another database."""
        other = object.__new__(Milvus)
        other.__dict__ = self.__dict__ | {"database": database}
        return other

    def call(self, name, request=None, **fields):
        """The answer to a call; `Refused` with the server's words if it is none."""
        if request is None:
            request = getattr(calls, f"{name}Request")(**fields)
        if "db_name" in request.DESCRIPTOR.fields_by_name and name not in ("CreateDatabase", "DropDatabase"):
            request.db_name = self.database
        metadata = [("authorization", self.login), ("dbname", self.database)]
        try:
            answer = getattr(self.stub, name)(request, timeout=self.limit, metadata=metadata)
        except grpc.RpcError as error:
            raise Refused(f"{name}: {error.code().name}: {error.details()}") from error
        status = answer if isinstance(answer, common.Status) else answer.status
        if status.code or status.error_code:
            raise Refused(f"{name}: {status.reason or status.error_code}")
        return answer

    # -- rows ---------------------------------------------------------------------------------------------------------------

    def insert(self, collection, columns, partition="_default", call="Insert"):
        """Columns by name, each with its type and values; `$meta` is what a dynamic field has beside them."""
        data = [field(name, kind, values) for name, (kind, values) in columns.items()]
        rows = len(next(iter(columns.values()))[1])
        return self.call(call, collection_name=collection, partition_name=partition, fields_data=data, num_rows=rows)

    def delete(self, collection, expression, partition=""):
        self.call("Delete", collection_name=collection, partition_name=partition, expr=expression)

    def query(self, collection, expression="", fields=("count(*)",), partitions=(), limit=None):
        """Rows as dictionaries, seen with the consistency level Strong."""
        params = [] if limit is None else [pair("limit", limit)]
        answer = self.call("Query", collection_name=collection, expr=expression, output_fields=fields, partition_names=partitions,
                           query_params=params, consistency_level=common.Strong)
        columns = {data.field_name: values(data) for data in answer.fields_data}
        return [dict(zip(columns, row)) for row in zip(*columns.values())]

    def count(self, collection, partition=None):
        return self.query(collection, partitions=[partition] if partition else [])[0]["count(*)"]

    def search(self, collection, vector_field, vector, metric, top=3, output=(), **params):
        """The primary keys that are nearest to a vector, with their scores, and the asked fields."""
        packed = struct.pack(f"<{len(vector)}f", *vector)
        place = common.PlaceholderValue(tag="$0", type=common.FloatVector, values=[packed])
        pairs = {"anns_field": vector_field, "topk": top, "metric_type": metric, "params": json.dumps(params), "round_decimal": -1}
        answer = self.call("Search", collection_name=collection, placeholder_group=common.PlaceholderGroup(placeholders=[place]).SerializeToString(),
                           dsl_type=common.BoolExprV1, dsl="", search_params=[pair(*both) for both in pairs.items()], nq=1,
                           output_fields=output, consistency_level=common.Strong)
        found = answer.results
        return list(getattr(found.ids, found.ids.WhichOneof("id_field")).data), list(found.scores)

    # -- what takes time ----------------------------------------------------------------------------------------------------

    def until(self, what, holds, every=0.1, limit=LIMIT):
        begun = time.monotonic()
        while not holds():
            if time.monotonic() - begun > limit:
                raise Refused(f"{what}: not within {limit} s")
            time.sleep(every)

    def flush(self, *collections):
        """Returns when what was inserted before is in segments of the object store."""
        answer = self.call("Flush", collection_names=collections)
        for name in collections:
            segments = answer.coll_segIDs[name].data
            asked = {"segmentIDs": segments, "flush_ts": answer.coll_flush_ts[name], "collection_name": name}
            self.until(f"flush of {name}", lambda: self.call("GetFlushState", **asked).flushed)

    def load(self, collection, partitions=()):
        if partitions:
            self.call("LoadPartitions", collection_name=collection, partition_names=partitions, replica_number=1)
        else:
            self.call("LoadCollection", collection_name=collection, replica_number=1)

        def loaded():
            return self.call("GetLoadState", collection_name=collection, partition_names=partitions).state == common.LoadStateLoaded

        self.until(f"load of {collection}", loaded)

    def index(self, collection, of, name, **params):
        """To be there before the rows: what is flushed at the same moment waits a minute for its index."""
        pairs = [pair(key, json.dumps(value) if isinstance(value, dict) else value) for key, value in params.items()]
        self.call("CreateIndex", collection_name=collection, field_name=of, index_name=name, extra_params=pairs)

    def await_indexes(self, collection):
        """Returns when all flushed rows are in all of them."""

        def built():
            answer = self.call("DescribeIndex", collection_name=collection)
            return all(one.state == common.Finished for one in answer.index_descriptions)

        self.until(f"indexes of {collection}", built)

    # -- who and where ------------------------------------------------------------------------------------------------------

    def databases(self):
        return sorted(self.call("ListDatabases").db_names)

    def collections(self):
        return sorted(self.call("ShowCollections", type=calls.ShowType.All).collection_names)

    def partitions(self, collection):
        return sorted(self.call("ShowPartitions", collection_name=collection).partition_names)

    def users(self):
        return sorted(self.call("ListCredUsers").usernames)


def first_login():
    """The server as its user `root`, whose password is MILVUS_PASSWORD from now on, if it was the first one still; as soon as it answers."""
    fresh, own = Milvus(password=FIRST_PASSWORD), Milvus()
    passwords = {"oldPassword": password(FIRST_PASSWORD), "newPassword": password(os.environ["MILVUS_PASSWORD"])}

    def answers():
        try:
            return fresh.databases() and fresh.call("UpdateCredential", username="root", **passwords)
        except Refused as refused:
            return "auth check failure" in str(refused) and own.databases()

    own.until("an answer", answers, every=0.2, limit=60)
    return own


def pair(key, value):
    return common.KeyValuePair(key=key, value=str(value))


def password(text):
    """As a request has it."""
    return base64.b64encode(text.encode()).decode()


SCALARS = {
    schema.Bool: "bool_data",
    schema.Int8: "int_data",
    schema.Int16: "int_data",
    schema.Int32: "int_data",
    schema.Int64: "long_data",
    schema.Float: "float_data",
    schema.Double: "double_data",
    schema.VarChar: "string_data",
    schema.JSON: "json_data",
    schema.Array: "array_data",
}


def field(name, kind, values):
    data = schema.FieldData(type=kind, field_name=name, is_dynamic=name == "$meta")
    if kind == schema.FloatVector:
        data.vectors.dim = len(values[0])
        for vector in values:
            data.vectors.float_vector.data.extend(vector)
    elif kind == schema.BinaryVector:
        data.vectors.dim = len(values[0]) * 8
        data.vectors.binary_vector = b"".join(values)
    elif kind == schema.JSON:
        data.scalars.json_data.data.extend(json.dumps(value, ensure_ascii=False).encode() for value in values)
    elif kind == schema.Array:
        data.scalars.array_data.data.extend(values)
        data.scalars.array_data.element_type = schema.Int64
    else:
        getattr(data.scalars, SCALARS[kind]).data.extend(values)
    return data


def values(data):
    """Of an answer's column: plain values, a vector as bytes, JSON as it was stored."""
    if data.WhichOneof("field") == "vectors":
        vectors = data.vectors
        if vectors.WhichOneof("data") == "binary_vector":
            packed, width = vectors.binary_vector, vectors.dim // 8
        else:
            packed, width = struct.pack(f"<{len(vectors.float_vector.data)}f", *vectors.float_vector.data), vectors.dim * 4
        return [packed[at:at + width] for at in range(0, len(packed), width)]
    column = getattr(data.scalars, data.scalars.WhichOneof("data")).data
    if data.type == schema.Array:
        return [list(getattr(each, each.WhichOneof("data")).data) if each.WhichOneof("data") else [] for each in column]
    return list(column)
