"""Settings of the tests: everything Django offers is on, the database comes from the environment.

DSQ_TEST_DATABASES_JSON, the whole of DATABASES, is for processes that a test starts: they must
open the test database itself. DSQ_TEST_DATABASE is the URL of a server for the test run.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import dj_database_url


def _databases() -> dict[str, Any]:
    given = os.environ.get("DSQ_TEST_DATABASES_JSON")
    if given:
        databases: dict[str, Any] = json.loads(given)
        return databases
    url = os.environ.get("DSQ_TEST_DATABASE") or f"sqlite:///{_temporary_folder()}/db.sqlite3"
    database: dict[str, Any] = dict(dj_database_url.parse(url))
    engine = database["ENGINE"].rpartition(".")[2]
    if engine == "sqlite3":
        # A file, not memory: real processes must open it.
        database["TEST"] = {"NAME": str(Path(database["NAME"]).with_name("test.sqlite3"))}
        database["OPTIONS"] = {"timeout": 20}
    elif engine == "mysql":
        database["TEST"] = {"CHARSET": "utf8mb4", "COLLATION": "utf8mb4_general_ci"}
        database["OPTIONS"] = {"charset": "utf8mb4"}
    return {"default": database}


def _temporary_folder() -> str:
    folder = tempfile.mkdtemp(prefix="dsq-tests-")
    maker = os.getpid()

    def remove() -> None:
        if os.getpid() == maker:  # not in a fork of this process
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
    return folder


DATABASES = _databases()

SECRET_KEY = "only for tests"
DEBUG = False
USE_TZ = True
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "tests.urls"
STATIC_URL = "/static/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django_simple_queue",
    "tests.claims",
    "tests.jobs",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]
# Not safe, but fast.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
