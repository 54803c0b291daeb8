"""PgBouncer before a PostgreSQL server, in transaction mode: one server connection for each transaction."""

from __future__ import annotations

import shutil
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from compat_matrix import debian
from compat_matrix.errors import ServerError
from compat_matrix.processes import ServerProcess, free_port, running, throw_away_folder
from compat_matrix.programs import printed_version

SUITE = "bookworm"
LOCALHOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Pooler:
    """One that takes connections; any database of its server can be reached through it."""

    url: str
    port: int
    taken: str  # what was taken from where
    process: ServerProcess

    def __str__(self) -> str:
        return f"{self.taken}, at {self.url}"


@contextmanager
def pgbouncer(url: str) -> Iterator[Pooler]:
    """Yield a PgBouncer before the PostgreSQL server that has this URL."""
    program, taken = _program()
    port = free_port()
    with throw_away_folder("pgbouncer") as data:
        configuration = data / "pgbouncer.ini"
        configuration.write_text(_configuration(url, port), encoding="utf-8")
        configuration.chmod(0o644)  # it is read by another user, whose folder is closed to all others
        # It keeps nothing, and since 1.23 it would wait for its clients if it was asked to end.
        how, log = signal.SIGKILL, data.with_name("server.log")
        with running([program, configuration], ready=lambda: _answers(port), stop=how, log=log) as process:
            server = urlsplit(url)
            user = server.netloc.rpartition("@")[0]
            there = server._replace(netloc=f"{user}@{LOCALHOST}:{port}" if user else f"{LOCALHOST}:{port}")
            yield Pooler(there.geturl(), port, taken, process)


def _program() -> tuple[Path, str]:
    """This machine's, else Debian's; and in words which."""
    if on_path := shutil.which("pgbouncer"):
        program = Path(on_path)
        if printed := printed_version(program):
            return program, f"{printed}, this machine's {program}"
    unpacked = debian.fetch("pgbouncer", SUITE)
    program = unpacked.root / "usr/sbin/pgbouncer"
    if not (printed := printed_version(program)):
        raise ServerError(f"{program} does not run: remove {unpacked.root} to have it fetched again")
    return program, f"{printed}, {unpacked}"


def _configuration(url: str, port: int) -> str:
    server = urlsplit(url)
    target = {
        "host": server.hostname or LOCALHOST,
        "port": server.port or 5432,
        "user": unquote(server.username or "postgres"),
        "password": unquote(server.password or ""),
    }
    words = " ".join(f"{name}={_quoted(str(value))}" for name, value in target.items() if value)
    return "\n".join(
        [
            "[databases]",
            f"* = {words}",
            "[pgbouncer]",
            f"listen_addr = {LOCALHOST}",
            f"listen_port = {port}",
            "unix_socket_dir =",
            "auth_type = any",  # whoever connects is the user above
            "pool_mode = transaction",
            "max_client_conn = 200",
            "",
        ]
    )


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _answers(port: int) -> bool:
    try:
        socket.create_connection((LOCALHOST, port), timeout=1).close()
    except OSError:
        return False
    return True
