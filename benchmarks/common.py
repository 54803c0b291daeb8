"""What several benchmarks need: a database's settings, the machine in words, numbers for people."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from typing import Any

import dj_database_url


def entry(url: str) -> dict[str, Any]:
    """A Django DATABASES entry, as one would set it for production: durable on each database."""
    database: dict[str, Any] = dict(dj_database_url.parse(url))
    if database["ENGINE"].endswith("sqlite3"):
        wal = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL"
        database["OPTIONS"] = {"transaction_mode": "IMMEDIATE", "init_command": wal, "timeout": 20}
    elif database["ENGINE"].endswith("mysql"):
        database["OPTIONS"] = {"charset": "utf8mb4"}
    return database


def in_a_process(module: str, url: str, *words: str) -> Any:
    """What `python -m MODULE --here` prints as JSON: a process knows one database as its default for its life."""
    variables = {"BENCH_DATABASE": json.dumps(entry(url)), "DJANGO_SETTINGS_MODULE": "benchmarks.settings"}
    command = [sys.executable, "-m", module, "--here", *words]
    done = subprocess.run(command, env=os.environ | variables, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def machine() -> str:
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
