"""examples/outbox runs, on this database, as its first lines say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

from django.db import connection

EXAMPLE = Path(__file__).parents[2] / "examples/outbox/run.py"


def url(folder: Path) -> str:
    given = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite://{folder / 'outbox.sqlite3'}"
    scheme = {"postgresql": "postgres"}.get(connection.vendor, connection.vendor)
    user = ":".join(quote(given[name], safe="") for name in ("USER", "PASSWORD") if given[name])
    return f"{scheme}://{user}@{given['HOST']}:{given['PORT']}/{given['NAME']}"


def test_all_is_delivered_though_a_relay_is_killed_and_what_comes_late_is_refused(
    worker_env: dict[str, str], tmp_path: Path
) -> None:
    environment = worker_env | {"DJANGO_SETTINGS_MODULE": "settings"}
    command = [sys.executable, str(EXAMPLE), url(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Delivered: 171 messages" in done.stdout
    assert re.search(r"^Delivered again: [1-9]", done.stdout, re.M)
    assert re.search(r"^Refused: message \d+ with fence 1", done.stdout, re.M)
    assert not {"shop_order", "shop_message"} & {*connection.introspection.table_names()}
