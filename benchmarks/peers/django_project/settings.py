"""Lean settings, alike for all peers; the adapter that BENCH_PEER names adds its own for BENCH_CONFIGURATION."""

from __future__ import annotations

import json
import os
from typing import Any

from benchmarks.common import entry
from benchmarks.peers.peer import adapter

_peer: Any = adapter(os.environ["BENCH_PEER"])
# What only enqueues says no configuration.
_name = os.environ.get("BENCH_CONFIGURATION") or list(_peer.configurations)[-1]

SECRET_KEY = "only for benchmarks"
USE_TZ = True
USE_I18N = False
SILENCED_SYSTEM_CHECKS = ["models.W037"]  # MySQL has no indexes with conditions, as django-q2 wants one
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["django.contrib.contenttypes", *_peer.apps]
DATABASES = {"default": entry(os.environ["BENCH_URL"]) | _peer.configurations[_name].get("database", {})}
_LOGGERS = ("django.tasks", "django_q", "django-q", "django_ox", "dj_queue")
# No line for each task: peers that would write one are not measured by how fast a terminal is.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {name: {"handlers": ["stderr"], "level": "WARNING", "propagate": False} for name in _LOGGERS},
}
globals().update(_peer.settings(_name, json.loads(os.environ.get("BENCH_POOL", "{}"))))
