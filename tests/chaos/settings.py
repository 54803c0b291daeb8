"""The tests' settings with short leases, so that a rescue comes within seconds, and a record of what workers do."""

import os

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.history.record.Recording"]
DJANGO_SIMPLE_QUEUE_LEASE_SECONDS = float(os.environ.get("DSQ_CHAOS_LEASE", "4"))
DJANGO_SIMPLE_QUEUE_HEARTBEAT_SECONDS = DJANGO_SIMPLE_QUEUE_LEASE_SECONDS / 4
DJANGO_SIMPLE_QUEUE_MAX_WORKER_LOSSES = 1000  # every death here is ours, no task's
DJANGO_SIMPLE_QUEUE_RETRY_BACKOFF = 0.2
DJANGO_SIMPLE_QUEUE_MAX_ATTEMPTS = 3
