"""The supervisor: forks, watches and stops the others. It has one thread, no database connection and no user code."""

from __future__ import annotations

import gc
import logging
import os
import select
import signal
import threading
import time

from django.db import connections

from ..conf import get_settings
from . import board as b
from .keeper import IMPOSSIBLE, Keeper
from .kill import Killer
from .news import WAKE, drain, ring, write_news
from .options import Options
from .process import STOP_NOW, STOP_SOON, how_it_died, spawn, stop_signals
from .runner import Runner
from .threads import ThreadedRunner

logger = logging.getLogger("django_simple_queue")
LOOK_EVERY = 0.1  # seconds between two looks at the board
LONGEST_BACKOFF = 30.0  # seconds before a runner that never got to claim is replaced
CUT_OFF = 3  # exit code: the shutdown timeout ended tasks before they were done; they are queued again
LAST_WORDS = 5.0  # seconds the keeper has to settle what the runners left


class Supervisor:
    """One `task_worker` on one database."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.settings = get_settings()
        self.board = b.Board(options.processes)
        self.runners: dict[int, b.Page] = {}
        self.started = 0  # runners so far; their ids
        self.failures = 0  # runners in a row that died before they claimed
        self.respawn_at: list[float] = []
        self.keeper_pid = 0
        self.keeper_failures = 0
        self.signals = 0
        self.stop_at: float | None = None  # when what still runs is killed
        self.code = 0

    def run(self) -> int:
        """Work until a signal, the end of a burst, or something that no wait cures; the exit code."""
        self._prepare()
        self._start_keeper()
        for _ in range(self.options.processes):
            self._start_runner()
        while self.keeper_pid or self.runners:
            self._wait()
            self._reap()
            self._obey()
            self._watch()
            self._replace()
        return self.code

    def _prepare(self) -> None:
        connections.close_all()
        if len(others := threading.enumerate()) > 1:
            names = ", ".join(thread.name for thread in others[1:])
            logger.warning("The project's start-up made threads (%s): forked processes will not have them.", names)
        self.poke_r, self.poke_w = _pipe()
        self.wakes = [_pipe() for _ in self.board.pages]
        self.bell_r, self.bell_w = _pipe()
        signal.set_wakeup_fd(self.bell_w, warn_on_full_buffer=False)
        for number in (*stop_signals(), STOP_SOON, STOP_NOW):
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        self.killer = Killer(self.board, self.runners, self.settings.lease_seconds)
        gc.collect()
        gc.freeze()

    def _on_signal(self, number: int, frame: object) -> None:
        """SIGTERM and the like count. A fleet says which it means: its children may have had the signal as well."""
        if number == STOP_SOON:
            self.signals = max(self.signals, 1)
        else:
            self.signals += 2 if number == STOP_NOW else 1

    # -- starting ------------------------------------------------------------------------------------------------

    def _start_keeper(self) -> None:
        self.board.control[b.C_TICK] = b.clock()
        wakes = [write for _, write in self.wakes]
        self.keeper_pid = spawn(lambda: Keeper(self.options, self.board, self.poke_r, wakes).run(), "keeper")

    def _start_runner(self) -> None:
        page = next((page for page in self.board.pages if page.words[b.STATE] == b.PageState.FREE), None)
        if page is None:
            self.respawn_at.append(time.monotonic() + LOOK_EVERY)  # the keeper has pages to settle first
            return
        self.started += 1
        page.words[b.RUNNER] = self.started
        page.words[b.STATE] = b.PageState.LIVE
        kind = Runner if self.options.threads == 1 else ThreadedRunner
        wake = self.wakes[page.index][0]
        pid = spawn(lambda: kind(self.options, self.board, page, wake, self.poke_w).run(), "runner")
        page.words[b.PID] = pid
        self.runners[pid] = page

    def _replace(self) -> None:
        now = time.monotonic()
        due = [at for at in self.respawn_at if at <= now]
        self.respawn_at = [at for at in self.respawn_at if at > now]
        for _ in due:
            if not self.board.stopping:
                self._start_runner()

    # -- what happens --------------------------------------------------------------------------------------------

    def _wait(self) -> None:
        select.select([self.bell_r], [], [], LOOK_EVERY)
        drain(self.bell_r)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED | os.WCONTINUED)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if os.WIFSTOPPED(status) or os.WIFCONTINUED(status):
                self.killer.note(pid, stopped=os.WIFSTOPPED(status))
            elif pid == self.keeper_pid:
                self._keeper_ended(status)
            elif pid in self.runners:
                self._runner_ended(pid, status)

    def _runner_ended(self, pid: int, status: int) -> None:
        page = self.runners.pop(pid)
        self.killer.forget(pid)
        page.words[b.EXIT] = status
        early, meant = not page.words[b.CLAIMED], page.words[b.REASON] != b.Reason.NONE
        if page.in_use():
            page.words[b.STATE] = b.PageState.DEAD
            ring(self.poke_w)
        else:
            page.wipe()
        if status and not meant:
            logger.warning("A runner (PID %d) %s.", pid, how_it_died(status))
        self.failures = self.failures + 1 if early and status and not meant else 0
        backoff = min(LONGEST_BACKOFF, 0.25 * 2**self.failures) if self.failures else 0.0
        self.respawn_at.append(time.monotonic() + backoff)

    def _keeper_ended(self, status: int) -> None:
        self.keeper_pid = 0
        code = os.waitstatus_to_exitcode(status)
        if code == IMPOSSIBLE:
            self.code = IMPOSSIBLE
            self._stop(1.0)
        # One that was killed has not settled what runners left, nor taken its worker's row away.
        elif self.board.control[b.C_STOP] != b.Stop.RUNNERS_GONE or (code and time.monotonic() < self.keeper_until):
            self.keeper_failures += 1
            if code:
                logger.warning("The keeper %s; another one takes its place.", how_it_died(status))
            time.sleep(min(2.0, 0.05 * 2 ** min(self.keeper_failures, 6)))
            self._start_keeper()

    # -- stopping ------------------------------------------------------------------------------------------------

    def _obey(self) -> None:
        if self.signals == 1 and self.stop_at is None:
            self._stop(self.options.shutdown_timeout)
        elif self.signals > 1 and self.stop_at is None:
            self._stop(0.0)
        elif self.signals > 1:
            self.stop_at = min(self.stop_at or 0.0, time.monotonic())
        if self.board.stopping and self.stop_at is None:
            self._stop(self.options.shutdown_timeout)  # the keeper ends a burst
        if self.stop_at is None:
            return
        if self.runners and time.monotonic() > self.stop_at and self.killer.end_all():
            self.code = self.code or CUT_OFF
        if not self.runners and self.board.control[b.C_STOP] != b.Stop.RUNNERS_GONE:
            self.board.control[b.C_STOP] = b.Stop.RUNNERS_GONE
            self.keeper_until = time.monotonic() + LAST_WORDS
            ring(self.poke_w)
        if not self.runners and self.keeper_pid and time.monotonic() > self.keeper_until:
            os.kill(self.keeper_pid, signal.SIGKILL)  # the database is away: another worker will rescue

    def _stop(self, timeout: float) -> None:
        self.stop_at = time.monotonic() + timeout
        if not self.board.stopping:
            self.board.control[b.C_STOP] = b.Stop.SOON
        for _, write in self.wakes:
            write_news(write, WAKE)
        ring(self.poke_w)

    def _watch(self) -> None:
        if self.keeper_pid and self.killer.keeper_hangs():
            logger.warning("The keeper has not moved for a third of a lease: it is replaced.")
            os.kill(self.keeper_pid, signal.SIGKILL)
        if self.stop_at is None or time.monotonic() <= self.stop_at:
            self.killer.end_overdue()


def _pipe() -> tuple[int, int]:
    read, write = os.pipe()
    os.set_blocking(read, False)
    os.set_blocking(write, False)
    return read, write
