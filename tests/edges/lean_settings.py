"""The leanest settings that a worker runs with: no admin, no middleware, no templates, no URLs."""

from __future__ import annotations

from tests.settings import DATABASES as DATABASES

SECRET_KEY = "only for tests"
INSTALLED_APPS = ["django.contrib.contenttypes", "django_simple_queue", "tests.jobs"]
USE_TZ = True
