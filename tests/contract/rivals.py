"""Processes that claim until nothing is left; each is started once and used by all races of a run."""

from __future__ import annotations

import json
import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")


def start(database: dict[str, Any]) -> None:
    """Make this process one of the project, on the database of the tests."""
    os.environ["DSQ_TEST_DATABASES_JSON"] = json.dumps({"default": database})
    import django

    django.setup()


def drain(strategy: str, worker_id: int, rival: int, batch: int, give_up_after: int = 20) -> list[str]:
    """Claim `batch` tasks at a time; the ids of all that were claimed."""
    import time

    from django_simple_queue.backends import OwnSession, get_strategy
    from django_simple_queue.queue.claim import Claimer, claim
    from django_simple_queue.records import HOLDERS_PER_WORKER

    taken: list[str] = []
    session = OwnSession(wait=60)
    try:
        claiming = get_strategy(session=session, wanted=strategy)
        empty, number = 0, worker_id * HOLDERS_PER_WORKER + rival
        while empty < give_up_after:
            found = claim(claiming, Claimer(worker_id, "rival", number), batch)
            taken += [str(one.uuid) for one in found]
            number += 16  # as with pages: no two rivals ever have the same
            empty = 0 if found else empty + 1
            if not found:
                time.sleep(0.005)
    finally:
        session.close()
    return taken
