"""The least that a project with an outbox needs, on SQLite or on the database whose URL OUTBOX_DATABASE is."""

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

ENGINES = {"postgres": "postgresql", "postgresql": "postgresql", "mysql": "mysql", "sqlite": "sqlite3"}

url = urlsplit(os.environ.get("OUTBOX_DATABASE") or f"sqlite://{Path(__file__).with_name('db.sqlite3')}")
database = {
    "ENGINE": f"django.db.backends.{ENGINES[url.scheme]}",
    "NAME": url.path if url.scheme == "sqlite" else url.path.lstrip("/"),
    "USER": unquote(url.username or ""),
    "PASSWORD": unquote(url.password or ""),
    "HOST": url.hostname or "",
    "PORT": url.port or "",
}
if url.scheme == "sqlite":
    database["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",  # wait for a writer instead of failing
        "init_command": "PRAGMA journal_mode = WAL",  # read while another process writes
        "timeout": 20,
    }

SECRET_KEY = "only for the example"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["django_simple_queue", "shop"]
DATABASES = {"default": database}
# What `manage.py task_doctor` looks at.
DJANGO_SIMPLE_QUEUE_CLAIMS = ["shop.outbox.waiting"]
