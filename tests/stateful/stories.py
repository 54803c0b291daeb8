"""Short stories, each of which finds out what is wrong with a rule: told step by step, on a real database."""

from __future__ import annotations

from collections.abc import Callable

from django_simple_queue.states import CANCELLED, FAILED, PROGRESS, QUEUED, SCHEDULED

from . import broken
from .machine import QueueMachine
from .people import EXPIRED, STATUS
from .runners import BAD, GOOD
from .table import DAY, HOUR

Story = Callable[[QueueMachine], None]
STORIES: list[tuple[broken.Broken, Story]] = []


def finds(*wrong: broken.Broken) -> Callable[[Story], Story]:
    def add(story: Story) -> Story:
        STORIES.extend((rule, story) for rule in wrong)
        return story

    return add


def dies(machine: QueueMachine, who: int) -> None:
    """A whole worker; another one beats, and watches for a lease."""
    machine.crash(who)
    machine.look()
    for other in range(len(machine.actors)):
        machine.beat(other)
    machine.look(1)


@finds(broken.claim_without_holder_check)
def put_back_while_it_is_held(machine: QueueMachine) -> None:
    machine.enqueue()
    machine.claim(0)
    machine.update(STATUS[QUEUED])
    machine.claim(1)


@finds(broken.claim_of_what_0_1_left)
def left_by_0_1(machine: QueueMachine) -> None:
    machine.insert_as_0_1_does(PROGRESS)
    machine.enqueue()
    machine.claim(0, limit=2)


@finds(broken.claim_by_a_dead_worker)
def claims_after_it_was_declared_dead(machine: QueueMachine) -> None:
    machine.enqueue()
    machine.notice(0)
    machine.declare_dead(0)
    machine.claim(0, dead=True)


@finds(broken.claim_of_losses_in_a_batch)
def two_lost_together(machine: QueueMachine) -> None:
    for _ in range(2):
        machine.enqueue()
    machine.claim(0, limit=2)
    dies(machine, 0)
    machine.claim(1, limit=2)


@finds(broken.claim_of_the_last_first)
def one_of_0_1_and_two_of_ours(machine: QueueMachine) -> None:
    machine.enqueue()
    machine.enqueue(urgent=True)
    machine.insert_as_0_1_does(QUEUED)
    machine.claim(0)
    machine.claim(1)


@finds(broken.claim_of_what_has_expired, broken.expire_of_what_is_held)
def one_of_two_expires(machine: QueueMachine) -> None:
    machine.enqueue()
    machine.enqueue(expires=-DAY)
    machine.claim(0, limit=2)
    machine.update(EXPIRED, pick=0)
    machine.expire()


@finds(broken.claim_of_what_is_not_due)
def put_among_what_is_due(machine: QueueMachine) -> None:
    machine.create(not_yet=True)
    machine.enqueue()
    machine.claim(0, limit=2)


@finds(broken.put_back_but_not_anew)
def lost_then_done_then_put_back(machine: QueueMachine) -> None:
    machine.enqueue()
    machine.claim(0)
    machine.settle(0)
    machine.claim(0)
    machine.finish(0)
    machine.update(STATUS[QUEUED])
    machine.claim(0)


@finds(broken.finish_without_holder, broken.release_without_holder)
def lost_and_claimed_by_another(machine: QueueMachine) -> None:
    machine.enqueue()
    machine.claim(0)
    machine.release(0)
    machine.claim(1)
    machine.crash(1)
    dies(machine, 1)
    machine.claim(2)
    machine.release_again()
    machine.finish_again(outcome=GOOD)


@finds(broken.finish_overrules_a_person)
def cancelled_by_hand_while_it_runs(machine: QueueMachine) -> None:
    machine.enqueue()
    machine.claim(0)
    machine.update(STATUS[CANCELLED])
    machine.finish(0)


@finds(broken.a_retry_is_lost)
def fails_once(machine: QueueMachine) -> None:
    machine.enqueue(max_attempts=2)
    machine.claim(0)
    machine.finish(0, BAD)


@finds(broken.losses_for_a_whole_batch, broken.no_loss_for_what_ran, broken.what_was_done_is_given_back)
def a_runner_dies_in_the_second_of_three(machine: QueueMachine) -> None:
    for _ in range(3):
        machine.enqueue()
    machine.claim(0, limit=3)
    machine.settle(0, done=1)


@finds(broken.nobody_sweeps)
def a_claim_lands_unseen(machine: QueueMachine) -> None:
    machine.enqueue()
    machine.claim(0, hold=True)
    machine.end_claim(0, "unseen")
    machine.claim(0)
    machine.sweep(0)


@finds(broken.sweep_of_what_is_on_a_page, broken.rescue_of_the_living)
def a_keeper_looks_at_what_is_held(machine: QueueMachine) -> None:
    machine.enqueue()
    machine.claim(0)
    machine.sweep(0)
    machine.look()


@finds(broken.rescue_by_status_only, broken.rescue_without_a_loss)
def one_worker_of_two_dies(machine: QueueMachine) -> None:
    for who in range(2):
        machine.enqueue()
        machine.claim(who)
    dies(machine, 1)


@finds(broken.rescue_of_progress_only)
def put_back_then_its_worker_dies(machine: QueueMachine) -> None:
    machine.enqueue()
    machine.claim(0)
    machine.update(STATUS[QUEUED])
    dies(machine, 0)


@finds(broken.rescue_of_the_known_only)
def the_row_of_a_worker_is_deleted(machine: QueueMachine) -> None:
    machine.enqueue()
    machine.claim(0)
    machine.delete_worker(0)
    machine.look()


@finds(broken.rescue_ignores_a_cancel)
def cancelled_then_its_worker_dies(machine: QueueMachine) -> None:
    machine.enqueue()
    machine.claim(0)
    machine.cancel()
    dies(machine, 0)


@finds(broken.a_dead_worker_beats_on)
def beats_after_it_was_declared_dead(machine: QueueMachine) -> None:
    machine.notice(0)
    machine.declare_dead(0)
    machine.beat(0)


@finds(broken.who_beats_is_declared_dead)
def beats_while_it_is_watched(machine: QueueMachine) -> None:
    machine.notice(0)
    machine.beat(0)
    machine.declare_dead(0)


@finds(broken.promote_of_what_is_held)
def scheduled_by_hand_while_it_runs(machine: QueueMachine) -> None:
    machine.enqueue()
    machine.claim(0)
    machine.update(STATUS[SCHEDULED])
    machine.promote()


@finds(broken.promote_of_what_has_ended, broken.promote_of_what_is_not_due)
def nothing_is_due(machine: QueueMachine) -> None:
    machine.enqueue(run_after=DAY)
    machine.add_record(FAILED)
    machine.promote()


@finds(broken.tidy_of_what_is_held, broken.prune_of_what_is_held)
def ended_by_hand_while_it_runs(machine: QueueMachine) -> None:
    machine.enqueue()
    machine.claim(0)
    machine.update(STATUS[FAILED])
    machine.tidy()
    machine.prune()


@finds(broken.prune_of_what_is_put_back, broken.prune_of_what_is_young)
def done_then_put_back(machine: QueueMachine) -> None:
    for _ in range(2):
        machine.enqueue()
    machine.claim(0, limit=2)
    machine.finish(0)
    machine.update(STATUS[QUEUED], pick=0)
    machine.prune(HOUR.total_seconds())
    machine.prune()


@finds(broken.cancel_ends_what_runs)
def cancelled_while_it_runs(machine: QueueMachine) -> None:
    machine.enqueue()
    machine.claim(0)
    machine.cancel()


@finds(broken.a_cancelled_task_keeps_its_slot)
def cancelled_with_a_key(machine: QueueMachine) -> None:
    machine.enqueue(key="a")
    machine.cancel()


@finds(broken.a_slot_is_taken_twice)
def one_key_after_the_other(machine: QueueMachine) -> None:
    machine.enqueue(key="a")
    machine.cancel()
    machine.enqueue(key="a")
    machine.retry(0)


@finds(broken.a_retry_keeps_old_losses)
def lost_then_cancelled_then_retried(machine: QueueMachine) -> None:
    machine.enqueue()
    machine.claim(0)
    machine.settle(0)
    machine.cancel()
    machine.retry()


@finds(broken.save_writes_everything)
def saved_after_it_was_claimed(machine: QueueMachine) -> None:
    machine.enqueue()
    machine.read()
    machine.claim(0)
    machine.save()


@finds(broken.save_brings_a_row_back)
def saved_after_it_was_deleted(machine: QueueMachine) -> None:
    machine.enqueue()
    machine.read()
    machine.delete()
    machine.save()
