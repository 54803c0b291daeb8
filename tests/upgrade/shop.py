"""The shop: a small project that began with 0.1.x, on a database of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from .databases import rows
from .migrating import TABLE

ROOT = Path(__file__).parents[2]
PROJECT = Path(__file__).parent / "project"
PARTS = ("ENGINE", "NAME", "USER", "PASSWORD", "HOST", "PORT", "OPTIONS")


@dataclass
class Shop:
    connection: BaseDatabaseWrapper
    folder: Path

    def run(self, *command: str, packages: tuple[Path, ...] = (ROOT,), code: int = 0) -> str:
        """Run Python in the project, where `packages` come before what is installed."""
        database = {part: self.connection.settings_dict[part] for part in PARTS}
        environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "shop.settings",
            "PYTHONPATH": os.pathsep.join(map(str, (*packages, PROJECT))),
            "SHOP_DATABASE": json.dumps(database),
            "SHOP_NOTES": str(self.folder / "notes"),
        }
        done = subprocess.run(
            [sys.executable, *command], cwd=self.folder, env=environment, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == code, f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def old(self, *arguments: str, packages: tuple[Path, ...]) -> dict[str, str]:
        """Let 0.1.10 fill its table, or with "more" add to it; {label: id}."""
        ids: dict[str, str] = json.loads(self.run("-m", "shop.old", *arguments, packages=packages))
        return ids

    def work(self) -> list[str]:
        """Run what can be run; the names that tasks have noted, in order."""
        self.run("-m", "django", "task_worker", "--processes", "1", "--burst")
        return self.notes()

    def notes(self) -> list[str]:
        notes = self.folder / "notes"
        return notes.read_text(encoding="utf-8").split() if notes.exists() else []

    def tasks(self, ids: dict[str, str], columns: str = "t.*") -> dict[str, dict[str, Any]]:
        """The rows by their labels."""
        labels = {key.replace("-", ""): label for label, key in ids.items()}
        found = rows(self.connection, f"SELECT id AS id_, {columns} FROM {TABLE} t")
        return {labels[str(row.pop("id_")).replace("-", "")]: row for row in found}
