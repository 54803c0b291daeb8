"""The tests' settings with short leases, so that a rescue comes within seconds."""

from tests.settings import *  # noqa: F403

DJANGO_SIMPLE_QUEUE_LEASE_SECONDS = 4
DJANGO_SIMPLE_QUEUE_HEARTBEAT_SECONDS = 1
DJANGO_SIMPLE_QUEUE_MAX_WORKER_LOSSES = 1000  # every death here is ours, no task's
DJANGO_SIMPLE_QUEUE_RETRY_BACKOFF = 0.2
DJANGO_SIMPLE_QUEUE_MAX_ATTEMPTS = 3
