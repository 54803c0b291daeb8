"""Gets a database server and starts it: python -m compat_matrix.servers NAME ... [-- COMMAND ...]

It takes, in this order, what an environment variable names, a server program of this machine,
a container, or a Debian package that is unpacked into the cache. The server lives as long as
the caller; its data are thrown away.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from compat_matrix import containers, debian, matrix
from compat_matrix.errors import ServerError
from compat_matrix.matrix import Database
from compat_matrix.mysql import MariaDB, MySQL
from compat_matrix.postgresql import PostgreSQL
from compat_matrix.processes import ServerProcess, free_port, running, throw_away_folder
from compat_matrix.programs import ServerProgram, printed_version, short_version

KINDS: dict[str, ServerProgram] = {"postgresql": PostgreSQL(), "mysql": MySQL(), "mariadb": MariaDB()}


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answers: its row's name, its URL, and in words what was taken from where."""

    name: str
    url: str
    taken: str
    process: ServerProcess | None = None  # None if somebody else started it

    def __str__(self) -> str:
        return f"{self.name}: {self.taken}, at {self.url}"


@contextmanager
def server(database: Database, sources: Sequence[str] = ()) -> Iterator[Server]:
    """Yield a running server; `sources` are some of SOURCES, all by default."""
    if database.kind == "sqlite":
        with tempfile.TemporaryDirectory(prefix="dsq-sqlite-") as folder:
            yield Server(database.name, f"sqlite:///{folder}/db.sqlite3", "a file, no server needed")
        return
    reasons = []
    for source in sources or SOURCES:
        with ExitStack() as stack:
            try:
                started = stack.enter_context(SOURCES[source](database))
            except ServerError as reason:
                reasons.append(f"  {source}: {reason}")
                continue
            yield started
            return
    raise ServerError(
        f"No {database.name} server could be had:\n" + "\n".join(reasons) + f"\nSet {database.url_variable} "
        "to the URL of one in which databases may be created (it must be "
        f"{database.kind} {database.version}), or make one of the above work."
    )


def _from_environment(database: Database) -> AbstractContextManager[Server]:
    url = os.environ.get(database.url_variable)
    if not url:
        raise ServerError(f"{database.url_variable} is not set")
    return _just(Server(database.name, url, f"the server that {database.url_variable} names"))


def _from_machine(database: Database) -> AbstractContextManager[Server]:
    kind = KINDS[database.kind]
    passed_over = []
    for program in kind.candidates(database.version):
        printed = printed_version(program)
        if printed and kind.is_version(printed, database.version):
            return _started(database, program, f"{short_version(printed)}, this machine's {program}")
        if printed:
            passed_over.append(f"{program} is {printed}")
    raise ServerError("; ".join(passed_over) or f"no {database.kind} {database.version} program is installed")


def _from_container(database: Database) -> AbstractContextManager[Server]:
    reason = containers.why_not() if database.image else "the matrix names no image"
    if reason:
        raise ServerError(reason)
    return _in_container(database)


def _from_debian(database: Database) -> AbstractContextManager[Server]:
    if not database.package or not database.suite:
        raise ServerError("the matrix names no package")
    unpacked = debian.fetch(database.package, database.suite)
    program = KINDS[database.kind].inside(unpacked.root, database.version)
    printed = printed_version(program)
    if not printed:
        raise ServerError(f"{program} does not run: remove {unpacked.root} to have it fetched again")
    return _started(database, program, f"{short_version(printed)}, {unpacked}")


SOURCES = {
    "environment": _from_environment,
    "machine": _from_machine,
    "container": _from_container,
    "debian": _from_debian,
}


@contextmanager
def _just(taken: Server) -> Iterator[Server]:
    yield taken


@contextmanager
def _in_container(database: Database) -> Iterator[Server]:
    with containers.container_url(database) as url:
        yield Server(database.name, url, f"the container {database.image}")


@contextmanager
def _started(database: Database, program: Path, taken: str) -> Iterator[Server]:
    kind = KINDS[database.kind]
    with throw_away_folder(database.name) as data:
        kind.set_up(program, data)
        port = free_port()
        command = kind.command(program, data, port)
        log = data.with_name("server.log")
        with running(command, ready=lambda: kind.is_ready(data, port), stop=kind.stop, log=log) as process:
            yield Server(database.name, kind.url(port), taken, process)


def main(arguments: Sequence[str] | None = None) -> int:
    given = list(sys.argv[1:] if arguments is None else arguments)
    command = given[given.index("--") + 1 :] if "--" in given else []
    parser = argparse.ArgumentParser(prog="python -m compat_matrix.servers", description=__doc__)
    parser.add_argument("names", nargs="+", choices=[row.name for row in matrix.load().databases])
    parser.add_argument("--from", dest="sources", action="append", choices=[*SOURCES], default=[])
    options = parser.parse_args(given[: given.index("--")] if "--" in given else given)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # it is ignored in a shell's background jobs
    try:
        with ExitStack() as stack:
            environment = dict(os.environ)
            for name in options.names:
                database = matrix.load().database(name)
                started = stack.enter_context(server(database, options.sources))
                print(started, flush=True)
                environment[database.url_variable] = started.url
            if command:
                return subprocess.run(command, env=environment).returncode
            print("Ctrl-C stops.", flush=True)
            threading.Event().wait()
    except ServerError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
