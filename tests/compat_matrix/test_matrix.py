"""The list of versions, and that nobody else keeps another one."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from compat_matrix import matrix
from compat_matrix.combinations import combinations
from compat_matrix.report import table
from compat_matrix.servers import KINDS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
ROWS = matrix.load()


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    content: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return content


def listed(project: dict[str, Any], prefix: str) -> list[str]:
    found = (re.fullmatch(rf"{prefix} :: (\d+\.\d+)", line) for line in project["classifiers"])
    return [match[1] for match in found if match]


def test_classifiers_name_the_same_pythons(project: dict[str, Any]) -> None:
    assert listed(project, "Programming Language :: Python") == list(ROWS.pythons)
    assert project["requires-python"] == f">={ROWS.pythons[0]}"


def test_classifiers_name_the_same_djangos(project: dict[str, Any]) -> None:
    versions = [django.version for django in ROWS.djangos]
    assert listed(project, "Framework :: Django") == versions
    assert f"django>={versions[0]}" in project["dependencies"]


def test_ci_runs_every_session_on_the_images_listed() -> None:
    workflow = (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")
    for database in ROWS.databases:
        assert database.session in workflow
        if database.image:
            assert f"image: {database.image}\n" in workflow
            assert f"{database.url_variable}: " in workflow


def test_every_database_has_a_session_and_a_server_program() -> None:
    noxfile = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    for database in ROWS.databases:
        assert f'@each_combination("{database.session}")' in noxfile
        assert database.kind == "sqlite" or database.kind in KINDS


def test_url_variable() -> None:
    assert ROWS.database("mariadb-10.11").url_variable == "DSQ_MARIADB_10_11_URL"


def test_an_unknown_database_is_refused_with_the_known_ones() -> None:
    with pytest.raises(LookupError, match=r"'oracle' is no database.*mariadb-10\.5"):
        ROWS.database("oracle")


@pytest.mark.parametrize(
    ("name", "python", "django"),
    [
        ("postgresql", "3.11", "5.2"),  # the Python is too old for more
        ("postgresql", "3.13", "6.1"),
        ("mariadb-10.5", "3.13", "5.2"),  # the server is
    ],
)
def test_newest_django(name: str, python: str, django: str) -> None:
    assert ROWS.newest_django(ROWS.database(name), python).version == django


@pytest.mark.parametrize("session", ["sqlite", "postgres", "mysql", "mariadb"])
def test_every_driver_runs_with_the_oldest_django(session: str) -> None:
    oldest = ROWS.djangos[0].version
    tested = {(one.database.name, one.driver) for one in combinations(session) if one.django == oldest}
    assert tested == {(row.name, driver) for row in ROWS.of_session(session) for driver in row.drivers}


def test_ids_of_combinations_differ() -> None:
    ids = [one.id for session in ("sqlite", "postgres", "mysql", "mariadb") for one in combinations(session)]
    assert len(set(ids)) == len(ids)


def test_table_has_a_row_for_each_database() -> None:
    lines = table(ROWS).splitlines()
    assert lines[2] == "| SQLite | 3 | sqlite3 | 5.2 to 6.1 | `nox -s sqlite` |"
    assert len([line for line in lines[2:] if line.startswith("|")]) == len(ROWS.databases)
