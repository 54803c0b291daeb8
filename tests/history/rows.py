"""The rows of the database as the model writes them."""

from __future__ import annotations

from django_simple_queue.models import Task
from tests.model.state import ENDS, Row


def final_rows() -> dict[str, Row]:
    """Every task by its hexadecimal id. The model's tasks have a slot: one without a key has it until it ends."""
    names = ("holder", "attempt", "losses", "cancel_requested", "finished_at", "unique_slot", "unique_key")
    found = {}
    for key, status, holder, attempt, losses, asked, finished_at, slot, unique_key in Task.objects.values_list(
        "id", "status", *names
    ):
        finished = finished_at is not None
        has_slot = slot is not None if unique_key is not None else not (finished and status in ENDS and not holder)
        found[key.hex] = Row(status, holder or 0, attempt, losses, asked, finished, has_slot)
    return found
