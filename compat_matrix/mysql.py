"""MySQL's and MariaDB's server programs."""

from __future__ import annotations

import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

from compat_matrix.errors import ServerError
from compat_matrix.processes import run, temporary_folder
from compat_matrix.programs import starts_with_version

DATABASE = "django_simple_queue"
# Root of 127.0.0.1 too: where names are not resolved it is not root of localhost.
FIRST_STATEMENTS = f"""\
CREATE USER IF NOT EXISTS 'root'@'127.0.0.1';
GRANT ALL PRIVILEGES ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;
CREATE DATABASE IF NOT EXISTS {DATABASE};
"""
# Tables, then data: without them InnoDB keeps no statistics and plans are others than in production.
MARIADB_TABLES = ("system_tables", "performance_tables", "system_tables_data")


def base_folder(program: Path) -> Path:
    """The `usr` that the program is in."""
    return program.parents[1]


def greets(host: str, port: int) -> bool:
    """Whether a server greets: a packet header, then protocol 10 (an error packet has 255 there)."""
    try:
        with socket.create_connection((host, port), timeout=1) as connection:
            greeting = connection.recv(64)
    except OSError:
        return False
    return len(greeting) > 5 and greeting[4] == 10


class MySQL:
    stop = signal.SIGTERM
    names: tuple[str, ...] = ("mysqld",)

    def candidates(self, version: str) -> Iterator[Path]:
        for name in self.names:
            on_path = shutil.which(name)
            for path in (on_path, f"/usr/sbin/{name}", f"/usr/local/sbin/{name}"):
                if path:
                    yield Path(path)

    def inside(self, root: Path, version: str) -> Path:
        return root / "usr/sbin" / self.names[0]

    def is_version(self, printed: str, version: str) -> bool:
        return "MariaDB" not in printed and starts_with_version(printed, version)

    def set_up(self, program: Path, data: Path) -> None:
        run([*self._options(program, data), "--initialize-insecure"])

    def command(self, program: Path, data: Path, port: int) -> list[str | Path]:
        statements = data / "first.sql"
        statements.write_text(FIRST_STATEMENTS, encoding="utf-8")
        statements.chmod(0o644)
        return [
            *self._options(program, data),
            f"--port={port}",
            "--bind-address=127.0.0.1",
            f"--socket={data}/s.sock",
            f"--pid-file={data}/server.pid",
            f"--init-file={statements}",
            "--max-connections=300",
            *self._server_options(),
        ]

    def is_ready(self, data: Path, port: int) -> bool:
        return greets("127.0.0.1", port)

    def url(self, port: int) -> str:
        return f"mysql://root@127.0.0.1:{port}/{DATABASE}"

    def _options(self, program: Path, data: Path) -> list[str | Path]:
        base = base_folder(program)
        return [
            program,
            "--no-defaults",
            f"--basedir={base}",
            f"--datadir={data}",
            f"--tmpdir={temporary_folder(data)}",
            f"--lc-messages-dir={base}/share/mysql",
        ]

    def _server_options(self) -> list[str]:
        # The folder that Debian's program wants here is made by the package's installation.
        return ["--secure-file-priv=NULL", "--mysqlx=OFF"]


class MariaDB(MySQL):
    names = ("mariadbd", "mysqld")

    def is_version(self, printed: str, version: str) -> bool:
        return "MariaDB" in printed and starts_with_version(printed, version)

    def set_up(self, program: Path, data: Path) -> None:
        # What mariadb-install-db does; that script is not in the server's package everywhere.
        statements = ["CREATE DATABASE mysql;", "USE mysql;", "SET @auth_root_socket=NULL;"]
        statements += [_sql_file(base_folder(program) / "share/mysql", name) for name in MARIADB_TABLES]
        run([*self._options(program, data), "--bootstrap"], given="\n".join(statements))

    def _server_options(self) -> list[str]:
        # As Debian's own configuration has it; the program's default is latin1.
        return ["--character-set-server=utf8mb4", "--collation-server=utf8mb4_general_ci"]


def _sql_file(folder: Path, name: str) -> str:
    for prefix in ("mariadb_", "mysql_"):
        file = folder / f"{prefix}{name}.sql"
        if file.exists():
            return file.read_text(encoding="utf-8")
    raise ServerError(f"{folder} has no mysql_{name}.sql: the server's package is not complete")
