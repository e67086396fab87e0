"""Drops what is in a Milvus, and makes rubbish under some of the old names."""

from milvus import Milvus, pair, password, schema


def column(name, kind, **params):
    key = params.pop("key", False)
    return schema.FieldSchema(name=name, data_type=kind, is_primary_key=key, type_params=[pair(*both) for both in params.items()])


def rubbish(server, name, dim):
    fields = [column("id", schema.Int64, key=True), column("rubbish", schema.VarChar, max_length=99), column("vec", schema.FloatVector, dim=dim)]
    described = schema.CollectionSchema(name=name, fields=fields)
    server.call("CreateCollection", collection_name=name, schema=described.SerializeToString(), shards_num=1)
    server.index(name, "vec", "rubbish", index_type="FLAT", metric_type="L2", params={})
    rows = {"id": (schema.Int64, [1]), "rubbish": (schema.VarChar, ["not what you remember"]), "vec": (schema.FloatVector, [[1.0] * dim])}
    server.insert(name, rows)
    server.flush(name)
    server.load(name)


server = Milvus()
for database in server.databases():
    at = server.at(database)
    for name in at.collections():
        for alias in at.call("DescribeCollection", collection_name=name).aliases:
            at.call("DropAlias", alias=alias)
        at.call("ReleaseCollection", collection_name=name)
        at.call("DropCollection", collection_name=name)
    if database != "default":
        server.call("DropDatabase", db_name=database)
for result in server.call("SelectRole").results:
    if result.role.name in ("admin", "public"):
        continue
    asked = server.call("SelectRole", role=result.role, include_user_info=True).results
    for user in [user for found in asked for user in found.users]:
        server.call("OperateUserRole", username=user.name, role_name=result.role.name, type="RemoveUserFromRole")
    for database in ("default", "second", "*"):
        for grant in server.call("SelectGrant", entity={"role": result.role, "db_name": database}).entities:
            server.call("OperatePrivilege", entity=grant, type="Revoke")
    server.call("DropRole", role_name=result.role.name)
for user in server.users():
    if user != "root":
        server.call("DeleteCredential", username=user)
server.call("CreateCredential", username="alice", password=password("not what you remember"))
server.call("CreateCredential", username="rubbish", password=password("rubbish-secret"))
server.call("CreateDatabase", db_name="rubbish")
rubbish(server, "documents", 8)
rubbish(server, "witness", 2)
rubbish(server.at("rubbish"), "chunks", 4)
