"""The least that a project with a queue needs."""

from pathlib import Path

SECRET_KEY = "only for the demo"
USE_TZ = True
INSTALLED_APPS = ["django_simple_queue", "words"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": Path(__file__).with_name("db.sqlite3"),
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",  # wait for a writer instead of failing
            "init_command": "PRAGMA journal_mode = WAL",  # read while another process writes
            "timeout": 20,
        },
    }
}
# Half a second before a failed task is tried again, so that the demo need not wait for it.
DJANGO_SIMPLE_QUEUE_RETRY_BACKOFF = 0.5
