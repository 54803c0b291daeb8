"""PostgreSQL's server program."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

from compat_matrix.processes import run
from compat_matrix.programs import starts_with_version


class PostgreSQL:
    stop = signal.SIGINT  # "fast": do not wait for clients

    def candidates(self, version: str) -> Iterator[Path]:
        yield Path(f"/usr/lib/postgresql/{version}/bin/postgres")
        on_path = shutil.which("postgres")
        if on_path:
            yield Path(on_path)

    def inside(self, root: Path, version: str) -> Path:
        return root / f"usr/lib/postgresql/{version}/bin/postgres"

    def is_version(self, printed: str, version: str) -> bool:
        return "PostgreSQL" in printed and starts_with_version(printed, version)

    def set_up(self, program: Path, data: Path) -> None:
        options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"]
        unpacked_share = program.parents[4] / "share/postgresql" / program.parents[1].name
        if unpacked_share.is_dir():
            options.append(f"-L{unpacked_share}")
        run([program.with_name("initdb"), *options, f"--pgdata={data}"])

    def command(self, program: Path, data: Path, port: int) -> list[str | Path]:
        return [
            program,
            f"-D{data}",
            "-clisten_addresses=127.0.0.1",
            f"-cport={port}",
            f"-cunix_socket_directories={data}",
            "-cmax_connections=300",
        ]

    def is_ready(self, data: Path, port: int) -> bool:
        # The eighth line of this file is its state; pg_ctl looks there too. One that was killed leaves it behind.
        try:
            lines = (data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except OSError:
            return False
        return len(lines) > 7 and lines[7].strip() == "ready" and is_alive(int(lines[0]))

    def url(self, port: int) -> str:
        return f"postgres://postgres@127.0.0.1:{port}/postgres"


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True
