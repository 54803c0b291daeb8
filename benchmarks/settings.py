"""Lean settings of the benchmarks' own project; the database comes from BENCH_DATABASE, as JSON."""

import json
import os

SECRET_KEY = "only for benchmarks"
USE_TZ = True
USE_I18N = False
INSTALLED_APPS = ["django.contrib.contenttypes", "django_simple_queue", "benchmarks"]
DATABASES = {"default": json.loads(os.environ["BENCH_DATABASE"])}
DJANGO_SIMPLE_QUEUE_ALLOWED_TASKS = ["benchmarks.tasks.*"]
