"""Whom the supervisor warns, kills and lets live."""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Iterator

import pytest

from django_simple_queue.records import Claim
from django_simple_queue.worker import board as b
from django_simple_queue.worker.interrupt import SOFT_TIMEOUT
from django_simple_queue.worker.kill import HARD_AFTER, Killer


@pytest.fixture
def child() -> Iterator[int]:
    pid = os.fork()
    if not pid:
        signal.signal(SOFT_TIMEOUT, lambda number, frame: os.write(1, b""))
        while True:
            time.sleep(60)
    yield pid
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


class Scene:
    def __init__(self, child: int) -> None:
        self.board = b.Board(1)
        self.page = self.board.pages[0]
        self.page.words[b.STATE] = b.PageState.LIVE
        self.killer = Killer(self.board, {child: self.page}, lease=3)
        self.child = child

    def runs(self, *, since: float, timeout: float) -> int:
        """A task that has run for `since` seconds; its slot."""
        claim = Claim(uuid.uuid4(), "", None, "", 0, 0, 0, 0, None, timeout, False, 1)
        (slot,) = self.page.put([claim], None)
        self.page.start(slot)
        self.page.words[b.HEADER + slot * b.SLOT + b.S_STARTED] -= int(since * 1e9)
        return slot

    def ended(self) -> bool:
        """Whether the process is dead; it is left for its parent to be waited for."""
        end = time.monotonic() + 1
        while time.monotonic() < end:
            if os.waitid(os.P_PID, self.child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                return True
            time.sleep(0.01)
        return False


@pytest.fixture
def scene(child: int) -> Scene:
    time.sleep(0.05)  # until its handler is there
    return Scene(child)


def test_within_its_timeout_a_task_is_left_alone(scene: Scene) -> None:
    slot = scene.runs(since=1, timeout=2)
    scene.killer.end_overdue()
    assert not scene.page.is_overdue(slot)


def test_past_it_the_task_is_warned_and_lives(scene: Scene) -> None:
    slot = scene.runs(since=3, timeout=2)
    scene.killer.end_overdue()
    assert scene.page.is_overdue(slot)
    assert scene.page.words[b.REASON] == b.Reason.NONE
    assert not scene.ended()


def test_if_it_does_not_end_then_its_process_is_killed_for_it(scene: Scene) -> None:
    scene.runs(since=0, timeout=60)
    late = scene.runs(since=3 + HARD_AFTER, timeout=2)
    scene.killer.end_overdue()
    assert scene.ended()
    assert (scene.page.words[b.REASON], scene.page.words[b.VICTIM]) == (b.Reason.TIMEOUT, late)


def test_a_cancelled_task_past_its_grace_is_killed_at_once(scene: Scene) -> None:
    scene.runs(since=5, timeout=0)
    (entry,) = scene.page.entries()
    scene.page.cancel(entry, 0)
    time.sleep(0.01)
    scene.killer.end_overdue()
    assert scene.ended()
    assert scene.page.words[b.REASON] == b.Reason.CANCEL


def test_a_runner_is_killed_once_it_has_been_stopped_for_a_lease(scene: Scene) -> None:
    scene.killer.note(scene.child, stopped=True)
    scene.killer.end_overdue()
    assert scene.page.words[b.REASON] == b.Reason.NONE
    scene.killer.stopped_since[scene.child] -= 4
    scene.killer.end_overdue()
    assert scene.page.words[b.REASON] == b.Reason.STOPPED
    assert scene.ended()


def test_nobody_is_blamed_for_the_time_that_the_supervisor_was_stopped_as_well(scene: Scene) -> None:
    scene.killer.note(scene.child, stopped=True)
    scene.killer.stopped_since[scene.child] -= 10
    scene.killer.looked -= 10
    scene.board.control[b.C_TICK] = b.clock() - 10_000_000_000
    assert not scene.killer.keeper_hangs()
    scene.killer.end_overdue()
    assert scene.page.words[b.REASON] == b.Reason.NONE


def test_a_keeper_hangs_that_has_not_ticked_for_a_third_of_a_lease(scene: Scene) -> None:
    scene.board.control[b.C_TICK] = b.clock() - 900_000_000
    assert not scene.killer.keeper_hangs()
    scene.board.control[b.C_TICK] = b.clock() - 1_100_000_000
    assert scene.killer.keeper_hangs()


def test_the_end_of_all_says_whether_a_task_was_cut_off(scene: Scene) -> None:
    scene.runs(since=1, timeout=60)
    assert scene.killer.end_all()
    assert scene.ended()
    assert scene.page.words[b.REASON] == b.Reason.SHUTDOWN
    assert not scene.killer.end_all()
