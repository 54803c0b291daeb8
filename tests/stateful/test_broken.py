"""Rules broken on purpose: the machine has to find each of them out, on every database."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from django_simple_queue.backends.base import ClaimSpec
from django_simple_queue.models import Task, Worker
from django_simple_queue.queue import claim, control, finish, rescue, workers
from django_simple_queue.states import PROGRESS, QUEUED

from .machine import QueueMachine
from .stage import on_stage

Patch = pytest.MonkeyPatch
ENOUGH = settings(
    max_examples=500,
    stateful_step_count=40,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


def finish_without_holder(patch: Patch) -> None:
    patch.setattr(finish, "STILL_HELD", "1 = 1")


def claim_without_holder_check(patch: Patch) -> None:
    patch.setattr(claim, "GUARD", f"status = {QUEUED}")


def claim_by_a_dead_worker(patch: Patch) -> None:
    patch.setattr(claim, "Worker", type("Anybody", (), {"ALIVE": f"{Worker.ALIVE} OR 1 = 1"}))


def claim_of_losses_in_a_batch(patch: Patch) -> None:
    patch.setattr(claim, "HAS_LOSS", "1 = 0")


def rescue_by_status_only(patch: Patch) -> None:
    right = rescue._rescue_spec

    def wrong(*args: Any) -> ClaimSpec:
        return dataclasses.replace(right(*args), guard=f"status = {PROGRESS}", index=None)

    patch.setattr(rescue, "_rescue_spec", wrong)


def rescue_without_a_loss(patch: Patch) -> None:
    right = rescue.lost_to
    patch.setattr(rescue, "lost_to", lambda dialect: right(dialect).replace("losses = losses + 1", "losses = losses"))


def a_dead_worker_beats_on(patch: Patch) -> None:
    patch.setattr(workers, "beat", lambda session, worker_id: True)


def save_writes_everything(patch: Patch) -> None:
    names = {field.attname for field in Task._meta.concrete_fields} - {"id", "modified"}
    patch.setattr(Task, "_changed", lambda self, *args: names)


def a_cancelled_task_keeps_its_slot(patch: Patch) -> None:
    right = control._cancel

    def wrong(session: Any, params: dict[str, object]) -> bool:
        before = Task.objects.filter(pk=params["id"]).values_list("unique_slot", flat=True).first()
        done = right(session, params)
        if done and before:
            Task.objects.filter(pk=params["id"]).update(unique_slot=before)
        return done

    patch.setattr(control, "_cancel", wrong)


def put_back_while_it_is_held(machine: QueueMachine) -> None:
    machine.enqueue(max_attempts=1, key=None, urgent=False)
    machine.claim(who=0, limit=1, innocents_only=False, hold=False)
    machine.update(pick=0, status=QUEUED)
    machine.claim(who=1, limit=1, innocents_only=False, hold=False)


def two_lost_together(machine: QueueMachine) -> None:
    for _ in range(2):
        machine.enqueue(max_attempts=1, key=None, urgent=False)
    machine.claim(who=0, limit=2, innocents_only=False, hold=False)
    machine.crash(who=0)
    machine.rescue()
    machine.claim(who=1, limit=2, innocents_only=False, hold=False)


def one_worker_of_two_dies(machine: QueueMachine) -> None:
    machine.enqueue(max_attempts=1, key=None, urgent=False)
    machine.claim(who=0, limit=1, innocents_only=False, hold=False)
    machine.crash(who=1)
    machine.rescue()


def beats_after_it_was_declared_dead(machine: QueueMachine) -> None:
    machine.watch(who=0)
    machine.declare_dead(who=0)
    machine.beat(who=0)


def cancelled_with_a_key(machine: QueueMachine) -> None:
    machine.enqueue(max_attempts=1, key="a", urgent=False)
    machine.cancel(pick=0)


BROKEN: list[Callable[[Patch], None]] = [
    finish_without_holder,
    claim_by_a_dead_worker,
    rescue_without_a_loss,
    save_writes_everything,
]
# What random steps come to too seldom is told step by step.
STORIES: list[tuple[Callable[[Patch], None], Callable[[QueueMachine], None]]] = [
    (claim_without_holder_check, put_back_while_it_is_held),
    (claim_of_losses_in_a_batch, two_lost_together),
    (rescue_by_status_only, one_worker_of_two_dies),
    (a_dead_worker_beats_on, beats_after_it_was_declared_dead),
    (a_cancelled_task_keeps_its_slot, cancelled_with_a_key),
]


def forget_specs() -> None:
    """Statements are built once: forget those of other rules."""
    for cached in (claim._cached_spec, rescue._rescue_spec):
        if hasattr(cached, "cache_clear"):
            cached.cache_clear()


@pytest.fixture
def fresh_specs() -> Iterator[None]:
    forget_specs()
    yield
    forget_specs()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("broken", BROKEN, ids=lambda rule: rule.__name__)
def test_a_broken_rule_is_found_out(fresh_specs: None, broken: Callable[[Patch], None]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        broken(patch)
        with pytest.raises(AssertionError), on_stage() as machine:
            run_state_machine_as_test(machine, settings=ENOUGH)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("broken", "story"), STORIES, ids=lambda one: one.__name__)
def test_a_broken_rule_is_found_out_in_a_story(
    fresh_specs: None, broken: Callable[[Patch], None], story: Callable[[QueueMachine], None]
) -> None:
    def tell() -> None:
        with on_stage() as machine:
            played = machine()
            story(played)
            played.table_is_as_the_model_says()

    tell()  # by the right rules
    with pytest.MonkeyPatch.context() as patch:
        forget_specs()
        broken(patch)
        with pytest.raises(AssertionError):
            tell()
