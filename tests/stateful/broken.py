"""Rules of the table of states, each broken in one place: what the machine has to find out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from django.db.models import Model

from django_simple_queue.backends import Session
from django_simple_queue.models import Task, Worker
from django_simple_queue.queue import claim, control, finish, rescue, workers
from django_simple_queue.queue.sql import ENDED, WAITING, WORKER, let_go
from django_simple_queue.states import PROGRESS, QUEUED, SCHEDULED
from django_simple_queue.worker import board as b
from django_simple_queue.worker.settle import Settler

Patch = pytest.MonkeyPatch
Broken = Callable[[Patch], None]


def misspell(patch: Patch, right: str, wrong: str) -> None:
    """Every statement that says `right` says `wrong`."""
    for name in ("rows", "write"):
        send = getattr(Session, name)

        def misspelt(self: Session, sql: str, params: Any = None, send: Callable[..., Any] = send) -> Any:
            return send(self, sql.replace(right, wrong), params)

        patch.setattr(Session, name, misspelt)


def respecify(patch: Patch, module: Any, name: str, **changes: Any) -> None:
    """A claim's specification, but for these parts."""
    right = getattr(module, name)
    patch.setattr(module, name, lambda *args: dataclasses.replace(right(*args), **changes))


# ---- claim ----


def claim_without_holder_check(patch: Patch) -> None:
    respecify(patch, claim, "_cached_spec", guard=f"status = {QUEUED}", index=None)


def claim_of_what_0_1_left(patch: Patch) -> None:
    respecify(patch, claim, "_cached_spec", guard=f"status IN ({QUEUED}, {PROGRESS}) AND holder IS NULL", index=None)


def claim_by_a_dead_worker(patch: Patch) -> None:
    misspell(patch, f"(SELECT w.state FROM {WORKER} w WHERE w.id = %(worker_id)s)", f"(SELECT {Worker.ALIVE})")


def claim_of_losses_in_a_batch(patch: Patch) -> None:
    respecify(patch, claim, "_cached_spec", solo="1 = 0")


def claim_of_the_last_first(patch: Patch) -> None:
    respecify(patch, claim, "_cached_spec", order="seq DESC", index=None)


def claim_of_what_has_expired(patch: Patch) -> None:
    misspell(patch, "(expires IS NULL OR expires > ", "(1 = 1 OR expires > ")


def claim_of_what_is_not_due(patch: Patch) -> None:
    misspell(patch, "(run_after IS NOT NULL AND run_after > ", "(1 = 0 AND run_after > ")


def put_back_but_not_anew(patch: Patch) -> None:
    misspell(patch, "losses = CASE WHEN finished_at IS NULL THEN losses ELSE 0 END", "losses = losses")


# ---- finish and release ----


def finish_without_holder(patch: Patch) -> None:
    patch.setattr(finish, "STILL_HELD", "1 = 1")


def finish_overrules_a_person(patch: Patch) -> None:
    def wrong(dialect: Any, target: str, *, ran: bool) -> str:
        kept = f"CASE WHEN status = {PROGRESS} THEN {target} ELSE status END"
        return let_go(dialect, target, ran=ran).replace(kept, target)

    patch.setattr(finish, "let_go", wrong)


def a_retry_is_lost(patch: Patch) -> None:
    patch.setattr(finish, "SCHEDULED", PROGRESS)


def release_without_holder(patch: Patch) -> None:
    right = finish.release

    def wrong(*args: Any) -> None:
        with patch.context() as meanwhile:
            meanwhile.setattr(finish, "STILL_HELD", "1 = 1")
            right(*args)

    patch.setattr(finish, "release", wrong)


# ---- settle, help and sweep ----


def _see(patch: Patch, state: b.SlotState, instead: b.SlotState) -> None:
    right = b.Page.entries

    def wrong(self: b.Page, **given: Any) -> list[b.Entry]:
        return [e._replace(state=instead) if e.state is state else e for e in right(self, **given)]

    patch.setattr(b.Page, "entries", wrong)


def losses_for_a_whole_batch(patch: Patch) -> None:
    _see(patch, b.SlotState.WAITING, b.SlotState.RUNNING)


def no_loss_for_what_ran(patch: Patch) -> None:
    _see(patch, b.SlotState.RUNNING, b.SlotState.WAITING)


def what_was_done_is_given_back(patch: Patch) -> None:
    _see(patch, b.SlotState.DONE, b.SlotState.WAITING)


def nobody_sweeps(patch: Patch) -> None:
    patch.setattr(Settler, "sweep", lambda *args: None)


def sweep_of_what_is_on_a_page(patch: Patch) -> None:
    patch.setattr(b.Board, "numbers", lambda self: set())


# ---- rescue ----


def rescue_of_the_living(patch: Patch) -> None:
    patch.setattr(workers, "everybody", lambda *args: [])


def rescue_by_status_only(patch: Patch) -> None:
    respecify(patch, rescue, "_rescue_spec", guard=f"status = {PROGRESS}", index=None)


def rescue_of_progress_only(patch: Patch) -> None:
    held = "holder BETWEEN %(low)s AND %(high)s"
    respecify(patch, rescue, "_rescue_spec", guard=f"status = {PROGRESS} AND {held}", index=None)


def rescue_of_the_known_only(patch: Patch) -> None:
    right = rescue.rescue_worker

    def wrong(strategy: Any, worker_id: int, why: str) -> int:
        return right(strategy, worker_id, why) if Worker.objects.filter(pk=worker_id).exists() else 0

    patch.setattr(rescue, "rescue_worker", wrong)


def rescue_without_a_loss(patch: Patch) -> None:
    misspell(patch, "losses = losses + 1", "losses = losses")


def rescue_ignores_a_cancel(patch: Patch) -> None:
    patch.setattr(rescue, "unless_cancelled", lambda target: target)


def a_dead_worker_beats_on(patch: Patch) -> None:
    patch.setattr(workers, "beat", lambda session, worker_id: True)


def who_beats_is_declared_dead(patch: Patch) -> None:
    misspell(patch, " AND beats = %(beats)s", "")


# ---- upkeep ----


def promote_of_what_is_held(patch: Patch) -> None:
    misspell(patch, f"status = {SCHEDULED} AND holder IS NULL", f"status = {SCHEDULED}")


def promote_of_what_has_ended(patch: Patch) -> None:
    misspell(patch, f"status = {SCHEDULED} AND holder IS NULL", f"status <> {QUEUED} AND holder IS NULL")


def promote_of_what_is_not_due(patch: Patch) -> None:
    misspell(patch, "run_after <= ", "run_after >= ")


def expire_of_what_is_held(patch: Patch) -> None:
    misspell(patch, f"status IN {WAITING} AND holder IS NULL", "1 = 1")


def tidy_of_what_is_held(patch: Patch) -> None:
    misspell(patch, f"finished_at IS NULL AND status IN {ENDED} AND holder IS NULL", f"status IN {ENDED}")


def prune_of_what_is_held(patch: Patch) -> None:
    misspell(patch, "holder IS NULL AND finished_at <= ", "COALESCE(finished_at, created) <= ")


def prune_of_what_is_put_back(patch: Patch) -> None:
    misspell(patch, f"status IN {ENDED} AND holder IS NULL AND finished_at <= ", "finished_at <= ")


def prune_of_what_is_young(patch: Patch) -> None:
    misspell(patch, "AND finished_at <= ", "OR finished_at <= ")


# ---- people ----


def cancel_ends_what_runs(patch: Patch) -> None:
    patch.setattr(control, "only_where", lambda condition: condition.replace("holder IS NULL AND ", ""))


def a_cancelled_task_keeps_its_slot(patch: Patch) -> None:
    misspell(patch, "SET unique_slot = NULL, modified", "SET modified")


def a_retry_keeps_old_losses(patch: Patch) -> None:
    misspell(patch, "attempt = 0, losses = 0,", "attempt = 0,")


def a_slot_is_taken_twice(patch: Patch) -> None:
    misspell(patch, "unique_slot = %(slot)s, cancel_requested", "unique_slot = NULL, cancel_requested")


def save_writes_everything(patch: Patch) -> None:
    names = {field.attname for field in Task._meta.concrete_fields} - {"id", "modified"}
    patch.setattr(Task, "_changed", lambda self, *args: names)


def save_brings_a_row_back(patch: Patch) -> None:
    patch.setattr(Task, "save", Model.save)
