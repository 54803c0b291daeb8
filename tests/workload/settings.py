"""The worker tests' settings; DSQ_BROKEN names a rule that is to be broken in this process."""

import os

from tests.worker.settings import *  # noqa: F403

DJANGO_SIMPLE_QUEUE_MAX_WORKER_LOSSES = 50  # every death is the workload's, no task's

if os.environ.get("DSQ_BROKEN"):
    INSTALLED_APPS = [*INSTALLED_APPS, "tests.workload.broken.BreaksARule"]  # noqa: F405
