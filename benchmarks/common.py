"""What several benchmarks need: a database's settings, the machine in words, numbers for people."""

from __future__ import annotations

import os
import platform
from typing import Any

import dj_database_url


def entry(url: str) -> dict[str, Any]:
    """A Django DATABASES entry, as one would set it for production."""
    database: dict[str, Any] = dict(dj_database_url.parse(url))
    if database["ENGINE"].endswith("sqlite3"):
        wal = "PRAGMA journal_mode=WAL"
        database["OPTIONS"] = {"transaction_mode": "IMMEDIATE", "init_command": wal, "timeout": 20}
    elif database["ENGINE"].endswith("mysql"):
        database["OPTIONS"] = {"charset": "utf8mb4"}
    return database


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def machine() -> str:
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
