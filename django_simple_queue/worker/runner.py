"""A runner: claims a batch, runs it, stores how it ended, and waits when there is nothing."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from django.db import Error

from ..backends import OwnSession
from ..conf import get_settings
from ..queue import finish
from ..records import Claim, Outcome, worker_of
from ..states import COMPLETED
from . import board as b
from . import capture, listeners
from .atomic import run_atomically
from .beside import WORTH, Beside
from .executor import Executor, close_open_transactions
from .intake import Intake
from .interrupt import SOFT_TIMEOUT
from .news import PipeEnd, read_news, ring
from .options import Options
from .pace import Pace
from .patience import GivenUp, Patience
from .process import rss_mb

logger = logging.getLogger("django_simple_queue")
FLUSH_TASKS = 500
FLUSH_SECONDS = 0.1
START_WITHIN = 1_000_000_000  # ns after which a claim that has not started is given back
LOOK_AGAIN = 5.0  # seconds that an idle runner waits for the keeper's wake-up before it looks by itself


class Run(NamedTuple):
    """A task that ran."""

    slot: int
    claim: Claim
    outcome: Outcome
    error: BaseException | None = None


def to_store(runs: Iterable[Run]) -> list[finish.Done]:
    return [(run.claim, run.outcome) for run in runs if not run.outcome.stored]


class Runner:
    """One process's work; `threads` beside it for --threads above 1."""

    def __init__(self, options: Options, board: b.Board, page: b.Page, wake_fd: int, poke_fd: int) -> None:
        self.options, self.board, self.page = options, board, page
        self.settings = get_settings()
        self.pid = os.getpid()
        self.wake, self.keeper = PipeEnd(wake_fd), PipeEnd(poke_fd)
        self.session = OwnSession(options.alias)
        self.lock = threading.RLock()  # of the session, the done list and the page's text
        self.patience = Patience(self.session, self._call_off)
        self.beside = Beside(options.alias, self._call_off)
        self.pace = Pace(options.threads)
        self.intake = Intake(options, board, page, self.patience, self.pace, self.lock)
        self.waiting: deque[tuple[int, Claim]] = deque()
        self.done: list[Run] = []
        self.done_since = 0.0
        self.returned: list[tuple[int, Claim]] = []  # claims that must not start any more
        self.ran = 0
        self.executors: list[Executor] = []

    # -- the loop of a runner that runs one task at a time -------------------------------------------------------

    def run(self) -> int:
        """Work until told to stop or due to be replaced; the process's exit code."""
        capture.install(echo=self.options.verbosity >= 2)
        signal.signal(SOFT_TIMEOUT, self._on_overdue)
        with contextlib.suppress(GivenUp):
            self.work()
        self.wind_up()
        return 0

    def work(self) -> None:
        executor = self.new_executor()
        while not self.over():
            if not self.waiting and not self.turn_over():
                self.idle()
                continue
            self.run_one(executor, *self.waiting.popleft())
            if self.waiting and self.flush_is_due():
                self.flush()

    def turn_over(self) -> bool:
        """Store what is done and claim more, both at once where that pays; whether there is more."""
        # Until a task with a loss is stored, another runner may not be told that there is none.
        if len(self.done) < WORTH or self.returned or self.page.words[b.SOLO] or not self.beside.pays:
            self.flush()
            return self.fetch()
        done, self.done = self.done, []
        self.beside.start(to_store(done))
        try:
            found = self.fetch()
        finally:
            done = self.stored(done, self.beside.result())
        self.tell(done)
        return found

    def run_one(self, executor: Executor, slot: int, claim: Claim) -> None:
        if not self.start(slot, claim):
            return
        began = time.perf_counter()
        executor.interrupt.slot = slot
        outcome = executor.run(claim, lambda: self.is_cancelled(slot))
        if os.getpid() != self.pid:
            os._exit(0)  # the task forked and its child came back: there must be one runner
        self._end_if_crippled(slot, claim, outcome)
        self.pace.took(time.perf_counter() - began)
        self.keep(Run(slot, claim, outcome, executor.error))

    def _end_if_crippled(self, slot: int, claim: Claim, outcome: Outcome) -> None:
        """A task closed this process's files: nothing here can be trusted any more, but the board still is."""
        if not self.wake.is_whole():
            logger.warning("Task %s (%s) closed files of its process, which is replaced.", claim.uuid, claim.task)
            self.page.done(slot, outcome)
            os._exit(0)  # other threads' tasks have a loss: one of them did it, and each runs alone next time

    def new_executor(self) -> Executor:
        """For the calling thread."""
        executor = Executor(self.options.alias, show=self.show, atomically=run_atomically)
        self.executors.append(executor)
        return executor

    def _on_overdue(self, number: int, frame: object) -> None:
        """The supervisor says that a task's time is up: raise TaskTimeout in it."""
        for executor in self.executors:
            executor.interrupt.raise_if(self.page.is_overdue)

    def over(self) -> bool:
        """Claim no more: the worker stops, or this runner has done its share."""
        return (
            self.board.stopping
            or (self.options.max_tasks is not None and self.ran >= self.options.max_tasks)
            or (self.options.max_rss is not None and self.ran > 0 and rss_mb() > self.options.max_rss)
        )

    def fetch(self) -> bool:
        """Claim a batch, if there is one and the lease allows it."""
        batch = self.claim_batch()
        self.waiting.extend(batch)
        return bool(batch)

    def claim_batch(self) -> list[tuple[int, Claim]]:
        read_news(self.wake.fd, self.options.alias)  # before: what it wakes us for is looked for now
        return self.intake.claim(self.ran)

    def holds_more(self) -> bool:
        """Whether anything is held here that is not done."""
        return bool(self.waiting)

    # -- running -------------------------------------------------------------------------------------------------

    def start(self, slot: int, claim: Claim) -> bool:
        """Mark the start, then look whether it is still allowed; if not, give the task back."""
        page, control = self.page, self.board.control
        claimed_at = page.words[b.HEADER + slot * b.SLOT + b.S_CLAIMED]
        now = page.start(slot)
        b.fence()
        if (
            now - claimed_at <= START_WITHIN
            and now <= control[b.C_DEADLINE]
            and control[b.C_STOP] == b.Stop.NO
            and worker_of(claim.holder) == control[b.C_WORKER]
            and not page.marks(slot) & b.Mark.TAKEN
        ):
            return True
        page.take_back(slot)
        with self.lock:
            self.returned.append((slot, claim))
        return False

    def is_cancelled(self, slot: int) -> bool:
        return bool(self.page.marks(slot) & b.Mark.CANCEL)

    def show(self, claim: Claim, output: str) -> None:
        """Store what a generator has yielded so far; if the database is away, later will do."""
        try:
            with self.lock:
                finish.show_output(self.session, claim, output)
        except Error:
            self.session.close()

    def keep(self, run: Run) -> None:
        """Put an outcome on the board, from where it is stored with others; at once if it does not fit there."""
        with self.lock:
            self.ran += 1
            if not self.done:
                self.done_since = time.monotonic()
            fits = self.page.done(run.slot, run.outcome)
            self.done.append(run)
        if not fits:
            self.flush()

    def flush_is_due(self) -> bool:
        return bool(self.returned) or (
            bool(self.done) and (len(self.done) >= FLUSH_TASKS or time.monotonic() - self.done_since > FLUSH_SECONDS)
        )

    # -- storing -------------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Store what is done and give back what may not start."""
        with self.lock:
            done, self.done = self.done, []
            returned, self.returned = self.returned, []
            if done:
                done = self.store(done)
            if returned:
                self.patience.ride_out(lambda: finish.release(self.session, [claim for _, claim in returned]))
                for slot, _ in returned:
                    self.page.empty(slot)
        self.tell(done)

    def store(self, runs: list[Run]) -> list[Run]:
        """Those of `runs` that are stored now; one that is held up by somebody's transaction stays for later."""
        done = to_store(runs)
        runs = self.stored(runs, self.patience.ride_out(lambda: finish.finish(self.session, done)))
        if not self.holds_more():
            self.page.words[b.SOLO] = 0
        return runs

    def stored(self, runs: list[Run], result: finish.Result) -> list[Run]:
        """Those of `runs` that are stored, taken from the board."""
        if result.held_up or result.lost:
            runs = self._stored_of(runs, result)
        for run in runs:
            self.page.empty(run.slot)
        if not self.done:
            self.page.words[b.USED] = 0
        return runs

    def _stored_of(self, runs: list[Run], result: finish.Result) -> list[Run]:
        held_up, lost = ({claim.id for claim in claims} for claims in (result.held_up, result.lost))
        stored = []
        for run in runs:
            if run.claim.id in held_up:
                self.done.append(run)
                self.done_since = time.monotonic()
            elif run.claim.id in lost and not self.page.marks(run.slot) & b.Mark.STORED:
                logger.warning(
                    "Task %s (%s): its claim was lost before its result could be stored; the result is dropped.",
                    run.claim.uuid, run.claim.task,
                )  # fmt: skip
                self.page.empty(run.slot)
            else:
                stored.append(run)
        return stored

    def tell(self, runs: list[Run]) -> None:
        """Signals, once the rows say it. A run that will be tried again has not failed yet."""
        for run in runs:
            if run.outcome.status == COMPLETED:
                listeners.on_success(run.claim, self.options.alias)
            elif run.outcome.is_last(run.claim, self.settings.max_attempts):
                listeners.on_failure(run.claim, self.options.alias, run.error)
        if runs:
            close_open_transactions()  # of receivers

    # -- waiting and ending ---------------------------------------------------------------------------------------

    def idle(self) -> None:
        """Say that there is nothing to do, look once more, then wait for the keeper, until there is something."""
        while True:
            self.page.words[b.IDLE] = 1
            b.fence()
            if self.over() or self.turn_over():
                return
            self.beside.close()
            if not self.page.words[b.IDLE]:
                continue  # woken before the news was read, and the claim found nothing: it would be woken no more
            if self.keeper.is_whole():
                ring(self.keeper.fd)  # it looks for us from now on
            select.select([self.wake], [], [], FLUSH_SECONDS if self.done else LOOK_AGAIN)

    def wind_up(self) -> None:
        """Give back what was not started, store the rest."""
        with self.lock:
            self.returned += self.waiting
            self.waiting.clear()
        with contextlib.suppress(GivenUp):  # the keeper settles what is left on the page
            self.flush()
        self.session.close()
        self.beside.close()

    def _call_off(self) -> bool:
        return self.board.stopping
