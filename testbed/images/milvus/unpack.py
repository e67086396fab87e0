"""unpack.py WHEEL FOLDER: the server of PyPI's wheel milvus, laid out as in the official image: bin/milvus, lib, configs.

The wheel's configuration is a template for a server without neighbours; what is put back here is what milvus.yaml of the official image
says. Of the libraries the one that belongs to a C library of its own time stays out."""

import io
import lzma
import os
import re
import sys
import zipfile

# As in the official image; every other place of the template has its official value beside it.
PLACES = {
    "etcd_data_dir": "default.etcd",
    "local_storage_dir": "/var/lib/milvus/data/",
    "rocksmq_data_dir": "/var/lib/milvus/rdb_data",
    "system_log_path": "",
}
# Line for line what the wheel's template has changed.
CHANGED = {
    "    embed: true ": "    embed: false ",
    "  storageType: local ": "  storageType: remote ",
    "  type: rocksmq\n": "  type: default\n",
}


def rendered(template):
    def place(found):
        name, default = found.group(1, 2)
        return default if default is not None else PLACES[name]

    text = re.sub(r"\{\{ (\w+)(?:\(\w+\))?(?:: ([^}]*?))? \}\}", place, template)
    for theirs, official in CHANGED.items():
        assert text.count(theirs) == 1, theirs
        text = text.replace(theirs, official)
    return text


def main(wheel, folder):
    for name in ("bin", "lib", "configs"):
        os.makedirs(os.path.join(folder, name))

    def write(path, content, mode=0o644):
        path = os.path.join(folder, path)
        with open(path, "wb") as out:
            out.write(content)
        os.chmod(path, mode)

    with zipfile.ZipFile(wheel) as packed:
        for member in packed.namelist():
            name = os.path.basename(member)
            if name.endswith(".lzma") and name != "libresolv.so.2.lzma":
                name = name.removesuffix(".lzma")
                content = lzma.open(io.BytesIO(packed.read(member))).read()
                write(os.path.join("bin" if name == "milvus" else "lib", name), content, 0o755)
        write("configs/milvus.yaml", rendered(packed.read("milvus/data/config.yaml.template").decode()).encode())
        write("configs/glog.conf", packed.read("milvus/data/glog.conf").replace(b"--log_dir=logs/", b"--log_dir=/tmp/"))


main(*sys.argv[1:])
