"""The tests' settings with what one test wants otherwise: DSQ_WORKER_SETTINGS is a JSON object."""

import json
import os

from tests.settings import *  # noqa: F403

# Short, so that what a lease decides is decided while somebody waits for it.
DJANGO_SIMPLE_QUEUE_LEASE_SECONDS = 3
DJANGO_SIMPLE_QUEUE_HEARTBEAT_SECONDS = 0.5
DJANGO_SIMPLE_QUEUE_RETRY_BACKOFF = 0.1

globals().update(json.loads(os.environ.get("DSQ_WORKER_SETTINGS", "{}")))
