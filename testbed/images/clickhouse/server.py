"""ClickHouse's HTTP interface over the engine that PyPI's chdb-core carries, which cannot open ports itself.

Ours is only what lies between a request and the engine: credentials, database, settings, parameters and format on the way in, exceptions
with their codes on the way out (ClickHouse's documentation, "HTTP Interface"). Not here: the native protocol, sessions, compression, and
query ids that the caller chooses; a result is sent when it is whole, and the engine knows everybody as `default`.
"""

import base64
import gzip
import hmac
import json
import os
import re
import signal
import sys
import threading
import time
import uuid
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from xml.etree import ElementTree

sys.path.insert(0, str(Path(__file__).parent / "chdb"))
# The extension alone: the package around it opens an engine of its own, and wants pandas.
import _chdb  # noqa: E402

# Connections that are made at once. The engine makes none while there is no database `default`, and that may be dropped.
SPARE = 32
# How long a query may go on after SIGTERM, in seconds; then it is cancelled, and has as long to end.
GRACE = 5.0

# Arguments of a request that are no settings.
NO_SETTINGS = {
    "client_protocol_version", "compress", "database", "decompress", "default_format", "enable_http_compression",
    "http_headers_progress_interval_ms", "password", "query", "query_id", "quota_key", "role", "send_progress_in_http_headers",
    "session_check", "session_id", "session_timeout", "user", "wait_end_of_query",
}  # fmt: skip

# Of an exception's code, where it is not 500.
STATUS = {
    6: 400, 26: 400, 27: 400, 36: 400, 38: 400, 41: 400, 53: 400, 62: 400, 72: 400, 117: 400, 321: 400,
    46: 404, 47: 404, 50: 404, 56: 404, 60: 404, 63: 404, 73: 404, 81: 404, 115: 404, 336: 404, 511: 404,
    48: 501, 76: 503, 159: 408, 192: 403, 193: 403, 194: 401, 209: 503, 439: 503, 497: 403, 516: 403,
}  # fmt: skip

CONTENT_TYPES = {
    "CSV": "text/csv; charset=UTF-8; header=absent",
    "CSVWithNames": "text/csv; charset=UTF-8; header=present",
    "JSON": "application/json; charset=UTF-8",
    "JSONCompact": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
    "Native": "application/octet-stream",
    "RowBinary": "application/octet-stream",
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
    "TSV": "text/tab-separated-values; charset=UTF-8",
}

FORMAT = re.compile(rb"\sFORMAT\s+(\w+)\s*(?:SETTINGS\s[^;]*)?;?\s*$", re.IGNORECASE)
INSERT_FORMAT = re.compile(rb"^(\s*INSERT\s.*?)\s+FORMAT\s+(\w+)\s*$", re.IGNORECASE | re.DOTALL)


class Failure(Exception):
    """What the caller is told in the place of a result."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code

    @classmethod
    def of_engine(cls, error: Exception) -> "Failure":
        text = str(error)
        code = re.search(r"Code: (\d+)\. ", text)
        return cls(int(code[1]), text[code.start() :]) if code else cls(1002, f"Code: 1002. DB::Exception: {text} (UNKNOWN_EXCEPTION)")


def failure(code: int, name: str, text: str) -> Failure:
    return Failure(code, f"Code: {code}. DB::Exception: {text} ({name})")


@dataclass
class Query:
    """A request, understood."""

    user: str
    sql: bytes
    # What is to be inserted, where it is not part of the SQL.
    data: bytes | None = None
    database: str | None = None
    format: str = "TabSeparated"
    changes_nothing: bool = False
    settings: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)


@dataclass
class Answer:
    content: bytes
    summary: dict[str, int]


class Users:
    """Of the container's variables: the one with all rights, and one who may only read."""

    def __init__(self, variables: dict[str, str]) -> None:
        self.passwords = {variables.get("CLICKHOUSE_USER") or "default": variables.get("CLICKHOUSE_PASSWORD", "")}
        self.reader, _, password = variables.get("CLICKHOUSE_READONLY_USER", "").partition(":")
        if self.reader:
            self.passwords[self.reader] = password

    def check(self, user: str, password: str) -> None:
        known = self.passwords.get(user)
        if known is None or not hmac.compare_digest(known.encode(), password.encode()):
            text = f"{user}: Authentication failed: password is incorrect, or there is no user with such name."
            raise failure(516, "AUTHENTICATION_FAILED", text)


class Engine:
    """One engine in this process, and connections to it: each runs one query at a time."""

    def __init__(self, config: Path, users: Users, database: str) -> None:
        self.users = users
        path = Path(ElementTree.parse(config).findtext("path") or "/var/lib/clickhouse/")
        is_new = not (path / "metadata").is_dir()
        # Left alone the engine has a database `default` of a kind that no server has; so it gets its own system's name, which hides it.
        self.address = f"{path}?config-file={config}&default_database=system"
        self.make_default(path / "metadata")
        _chdb.set_signal_handlers_enabled(0)
        self.lock = threading.Lock()
        self.running = 0
        self.idle = [_chdb.connect(self.address) for _ in range(SPARE)]
        self.version = self.ask("SELECT version()")
        if is_new and database:
            self.ask(f"CREATE DATABASE IF NOT EXISTS {quoted(database)}")

    @staticmethod
    def make_default(metadata: Path) -> None:
        """A server makes the database `default` at its start where it is missing."""
        # The engine makes this link anew. Where it finds one it believes that its own database is meant, and dies of two of one UUID.
        (metadata / "default").unlink(missing_ok=True)
        file = metadata / "default.sql"
        if not file.exists():
            metadata.mkdir(parents=True, exist_ok=True)
            file.write_text(f"ATTACH DATABASE _ UUID '{uuid.uuid4()}'\nENGINE = Atomic\n")

    def ask(self, sql: str) -> str:
        return self.run(Query("default", sql.encode())).content.decode().strip()

    def run(self, query: Query) -> Answer:
        with self.lock:
            connection = self.idle.pop() if self.idle else None
            self.running += 1
        try:
            connection = connection or _chdb.connect(self.address)
            self.permit(connection, query)
            return self.run_on(connection, query)
        except RuntimeError as error:
            raise Failure.of_engine(error) from None
        finally:
            with self.lock:
                self.running -= 1
                if connection:
                    self.idle.append(connection)

    def permit(self, connection: Any, query: Query) -> None:
        is_reader = query.user == self.users.reader
        if not (is_reader or query.changes_nothing):
            return
        # An INSERT's data is not for the parser. What it cannot read is for the engine to refuse.
        kind = connection.classify_query(query.sql)["query_class"].name
        if kind in ("READ_ONLY", "UNKNOWN"):
            return
        if is_reader:
            right = query.sql.split()[0].decode(errors="replace").upper()
            text = f"{query.user}: Not enough privileges. To execute this query, it's necessary to have the grant {right} ON *.*."
            raise failure(497, "ACCESS_DENIED", text)
        text = "For queries over HTTP, method GET implies readonly. You should use method POST for modifying queries."
        raise failure(164, "READONLY", f"Cannot execute query in readonly mode. {text}")

    @staticmethod
    def run_on(connection: Any, query: Query) -> Answer:
        begun = time.monotonic_ns()
        try:
            connection.query(f"USE {quoted(query.database or 'default')}")
        except RuntimeError:
            # Who names no database needs none.
            if query.database:
                raise
        try:
            if query.settings:
                connection.query("SET " + ", ".join(f"{name} = {literal(value)}" for name, value in query.settings.items()))
            if query.data is None:
                result = connection.query(query.sql, query.format, params=query.parameters)
                content, read = bytes(result.bytes()), (result.rows_read(), result.bytes_read())
                written = (result.rows_written(), result.bytes_written())
            else:
                stream = connection.send_insert(query.sql.decode(), query.format)
                connection.insert_append(stream, query.data)
                result = connection.insert_done(stream)
                content, read, written = b"", (0, 0), (result.rows_written(), result.bytes_written())
        finally:
            if query.settings:
                connection.query("SET " + ", ".join(f"{name} = DEFAULT" for name in query.settings))
        return Answer(content, {
            "read_rows": read[0], "read_bytes": read[1], "written_rows": written[0], "written_bytes": written[1],
            "total_rows_to_read": 0, "result_rows": 0, "result_bytes": len(content), "elapsed_ns": time.monotonic_ns() - begun,
        })  # fmt: skip

    def close(self) -> None:
        """Queries have a while to end, then they are cancelled."""
        if not self.ends_within(GRACE):
            self.ask("KILL QUERY WHERE query NOT LIKE 'KILL QUERY%' ASYNC")
            self.ends_within(GRACE)
        with self.lock:
            for connection in self.idle:
                connection.close()

    def ends_within(self, seconds: float) -> bool:
        end = time.monotonic() + seconds
        while self.running and time.monotonic() < end:
            time.sleep(0.02)
        return not self.running


def quoted(name: str) -> str:
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def literal(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    engine: Engine

    def do_GET(self) -> None:
        self.serve()

    def do_HEAD(self) -> None:
        self.serve()

    def do_POST(self) -> None:
        self.serve()

    def log_message(self, *_: object) -> None:
        """Requests are no news."""

    def serve(self) -> None:
        url = urlsplit(self.path)
        # A name may be there twice: the first counts, as in the server.
        arguments = dict(reversed(parse_qsl(url.query, keep_blank_values=True)))
        body = b"".join(self.body())
        identity = arguments.get("query_id") or str(uuid.uuid4())
        if url.path in ("/ping", "/replicas_status") or url.path == "/" and not body and "query" not in arguments:
            self.answer(200, b"Ok.\n", {"Content-Type": "text/html; charset=UTF-8"})
        elif url.path != "/":
            text = f"There is no handle {url.path}\n\nUse / or /ping for health checks.\n"
            self.answer(404, text.encode(), {"X-ClickHouse-Exception-Code": "579"})
        else:
            try:
                query = self.query(arguments, body)
                self.succeed(identity, query, self.engine.run(query))
            except Failure as refused:
                self.fail(identity, refused)

    def body(self) -> Iterator[bytes]:
        """The request's content, as it was before it was packed."""
        content = b"".join(self.chunks())
        match self.headers.get("Content-Encoding", ""):
            case "gzip":
                yield gzip.decompress(content)
            case "deflate":
                yield zlib.decompress(content)
            case _:
                yield content

    def chunks(self) -> Iterator[bytes]:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            yield self.rfile.read(int(self.headers.get("Content-Length") or 0))
            return
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass

    def query(self, arguments: dict[str, str], body: bytes) -> Query:
        if arguments.get("compress") == "1" or arguments.get("decompress") == "1":
            raise failure(48, "NOT_IMPLEMENTED", "This interface knows no compression of ClickHouse's own: turn it off in the client")
        user = self.user(arguments)
        settings = {name: value for name, value in arguments.items() if name not in NO_SETTINGS and not name.startswith("param_")}
        for name in settings:
            if not re.fullmatch(r"\w+", name):
                raise failure(115, "UNKNOWN_SETTING", f"Unknown setting '{name}'")
        query = Query(
            user=user,
            sql=b"\n".join(text for text in (arguments.get("query", "").encode(), body) if text),
            database=self.headers.get("X-ClickHouse-Database") or arguments.get("database"),
            format=self.headers.get("X-ClickHouse-Format") or arguments.get("default_format") or "TabSeparated",
            changes_nothing=self.command != "POST",
            settings=settings,
            parameters={name.removeprefix("param_"): value for name, value in arguments.items() if name.startswith("param_")},
        )
        # Inside the SQL the engine would take an empty line for the end of what is to be inserted.
        insert = INSERT_FORMAT.match(arguments.get("query", "").encode())
        if insert and body:
            query.sql, query.data, query.format = insert[1], body, insert[2].decode()
        return query

    def user(self, arguments: dict[str, str]) -> str:
        """The one whose password is right."""
        if "X-ClickHouse-User" in self.headers or "X-ClickHouse-Key" in self.headers:
            user, password = self.headers.get("X-ClickHouse-User", "default"), self.headers.get("X-ClickHouse-Key", "")
        elif self.headers.get("Authorization", "").startswith("Basic "):
            user, _, password = base64.b64decode(self.headers["Authorization"].removeprefix("Basic ")).decode().partition(":")
        else:
            user, password = arguments.get("user", "default"), arguments.get("password", "")
        self.engine.users.check(user, password)
        return user

    def succeed(self, identity: str, query: Query, answer: Answer) -> None:
        named = FORMAT.search(query.sql)
        format = named[1].decode() if named and query.data is None else query.format
        self.answer(200, answer.content, {
            "Content-Type": CONTENT_TYPES.get(format, "text/plain; charset=UTF-8"),
            "X-ClickHouse-Server-Display-Name": os.uname().nodename,
            "X-ClickHouse-Query-Id": identity,
            "X-ClickHouse-Format": format,
            "X-ClickHouse-Timezone": os.environ.get("TZ", "UTC"),
            "X-ClickHouse-Summary": json.dumps({name: str(value) for name, value in answer.summary.items()}),
        })  # fmt: skip

    def fail(self, identity: str, refused: Failure) -> None:
        text = f"{refused} (version {self.engine.version} (official build))\n"
        self.answer(STATUS.get(refused.code, 500), text.encode(), {
            "Content-Type": "text/plain; charset=UTF-8",
            "X-ClickHouse-Query-Id": identity,
            "X-ClickHouse-Exception-Code": str(refused.code),
        })  # fmt: skip

    def answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller who hangs up is no news either."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def main() -> None:
    config = next(word.partition("=")[2] for word in sys.argv if word.startswith("--config-file="))
    Path("/proc/self/comm").write_text("clickhouse-serv")
    # Before any thread is there: all leave these signals to this one.
    told = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, told)
    Handler.engine = Engine(Path(config), Users(dict(os.environ)), os.environ.get("CLICKHOUSE_DB", ""))
    server = Server(("", 8123), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    print(f"ClickHouse {Handler.engine.version}: ready for connections", flush=True)
    received = signal.Signals(signal.sigwait(told))
    print(f"{received.name}: stopping", flush=True)
    server.shutdown()
    Handler.engine.close()
    print("stopped", flush=True)
    # Threads that still serve somebody have nothing to wait for.
    os._exit(0)


main()
