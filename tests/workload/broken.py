"""A claim strategy and rules that are broken on purpose, in worker processes only."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable
from typing import Any
from unittest import mock

from django.apps import AppConfig

from django_simple_queue.backends import ClaimSpec
from django_simple_queue.backends.base import Row
from django_simple_queue.backends.compare_and_swap import CompareAndSwap
from django_simple_queue.records import Claim, Outcome


class LooksAndWritesApart(CompareAndSwap):
    """No lock, no re-check: whoever writes last has it, and the first believes so too."""

    name = "looks_and_writes_apart"

    def _take(self, spec: ClaimSpec, limit: int) -> list[Row]:
        session = self.session
        rows = spec.cut(session.attempt(lambda: session.rows(spec.candidates(session, limit), spec.params)))
        time.sleep(0.005)
        if rows:
            blind = dataclasses.replace(spec, guard="1 = 1")
            session.attempt(lambda: session.write(*blind.update(session, [row[0] for row in rows])))
        return rows


def retries_are_lost() -> None:
    Outcome.is_last = lambda outcome, claim, most: True  # type: ignore[method-assign]


def the_living_are_rescued() -> None:
    """Every other worker is missing, and so as good as dead."""
    from django_simple_queue.worker import watch

    watch.workers.everybody = lambda session, lease: []  # type: ignore[assignment]


def neighbours_are_lost_too() -> None:
    """What had not started when its runner died counts a loss as what ran."""
    from django_simple_queue.queue import rescue
    from django_simple_queue.worker.board import Page, SlotState
    from django_simple_queue.worker.settle import Settler

    right = Settler.settle

    def settle(self: Settler, page: Page) -> bool:
        for entry in page.entries():
            if entry.state is SlotState.WAITING:
                claim = self.stored(entry.claim)
                rescue.lose_one(self.session, claim.id, claim.holder, "a neighbour died")
        return right(self, page)

    Settler.settle = settle  # type: ignore[method-assign]


def what_is_done_is_forgotten() -> None:
    """What a dead runner had done and not stored is given back."""
    from django_simple_queue.queue import finish
    from django_simple_queue.worker import settle

    right = settle.Settler.settle

    def wrong(self: settle.Settler, page: Any) -> bool:
        def forget(session: Any, done: list[tuple[Claim, Outcome]]) -> finish.Result:
            finish.release(session, [claim for claim, _ in done])
            return finish.Result([], [])

        with mock.patch.object(settle.finish, "finish", forget):
            return right(self, page)

    settle.Settler.settle = wrong  # type: ignore[method-assign]


def anybody_may_finish() -> None:
    from django_simple_queue.queue import finish

    finish.STILL_HELD = "1 = 1"


def atomic_tasks_are_two_transactions() -> None:
    from django_simple_queue.worker import runner

    runner.run_atomically = lambda alias, claim, run: run()  # type: ignore[assignment]


def losses_run_with_others() -> None:
    from django_simple_queue.queue import claim
    from django_simple_queue.worker.intake import Intake

    claim.HAS_LOSS = "1 = 0"
    Intake._may_run_a_loss = lambda self: True  # type: ignore[method-assign]


def priorities_are_turned_round() -> None:
    from django_simple_queue.queue import claim

    right = claim._cached_spec

    def wrong(rank: str, *given: Any) -> ClaimSpec:
        return dataclasses.replace(right(rank, *given), order=f"{rank} DESC, seq", index=None, sort=None)

    claim._cached_spec = wrong  # type: ignore[assignment]


RULES: dict[str, Callable[[], None]] = {
    rule.__name__: rule
    for rule in (
        retries_are_lost,
        the_living_are_rescued,
        neighbours_are_lost_too,
        what_is_done_is_forgotten,
        anybody_may_finish,
        atomic_tasks_are_two_transactions,
        losses_run_with_others,
        priorities_are_turned_round,
    )
}


class BreaksARule(AppConfig):
    name = "tests.workload"
    label = "workload"

    def ready(self) -> None:
        RULES[os.environ["DSQ_BROKEN"]]()
