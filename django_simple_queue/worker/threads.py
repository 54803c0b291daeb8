"""A runner with several threads: they share its claims, its connection to the queue and its page."""

from __future__ import annotations

import contextlib
import select
import threading
import time

from django.db import connections

from . import board as b
from .patience import GivenUp
from .runner import LOOK_AGAIN, Runner


class ThreadedRunner(Runner):
    """The main thread claims and stores; the others run. Each task has its thread's own Django connections."""

    def work(self) -> None:
        self.turn = threading.Condition()  # of what waits and how many run
        self.active = 0  # tasks that run now
        self.alone = False  # a task with a loss runs, or is to come alone: start nothing until all have ended
        self.closing = False
        self.broken: BaseException | None = None  # why a thread has ended
        self.next_look = 0.0  # while something runs and there was nothing more
        threads = [threading.Thread(target=self._serve, daemon=True) for _ in range(self.options.threads)]
        for thread in threads:
            thread.start()
        try:
            while not self.over():
                self._step()
        finally:
            self._close(threads)
        if self.broken:
            raise self.broken

    def _step(self) -> None:
        if self.flush_is_due():
            self.flush()
        with self.turn:
            waiting = len(self.waiting)
            busy = self.active + waiting
        if waiting < self.options.threads and not (self.alone and busy):
            if not busy:
                self.flush()
            if not busy and not self.done:
                if not self.fetch():
                    self.idle()
                return
            if self._look_is_due() and self._look_beside():
                return
        with self.turn:
            self.turn.wait(0.02)

    def _look_is_due(self) -> bool:
        return time.monotonic() >= self.next_look or bool(select.select([self.wake], [], [], 0)[0])

    def _look_beside(self) -> bool:
        """Claim more while something runs; if there is nothing, have the keeper tell when there is."""
        if self.fetch():
            return True
        self.page.words[b.IDLE] = 1
        b.fence()
        self.next_look = time.monotonic() + LOOK_AGAIN
        found = self.fetch()
        if not found and not self.page.words[b.IDLE]:
            self.next_look = 0.0  # woken before the news was read: it would be woken no more
        return found

    def fetch(self) -> bool:
        """Claim a batch for the threads; a task with a loss is given back unless nothing else is here."""
        batch = self.claim_batch()
        has_loss = any(claim.losses for _, claim in batch)
        with self.turn:
            self.alone = has_loss
            if not (has_loss and self.active + len(self.waiting)):
                self.waiting.extend(batch)
                self.turn.notify_all()
                return bool(batch)
        with self.lock:
            self.returned += batch
        self.flush()
        self.page.words[b.SOLO] = 0  # another runner may have it sooner
        return True

    def holds_more(self) -> bool:
        with self.turn:
            return bool(self.active or self.waiting)

    def _serve(self) -> None:
        executor = self.new_executor()
        try:
            while True:
                with self.turn:
                    while not self.waiting and not self.closing:
                        self.turn.wait()
                    if self.closing:
                        return
                    slot, claim = self.waiting.popleft()
                    self.active += 1
                try:
                    self.run_one(executor, slot, claim)
                finally:
                    with self.turn:
                        self.active -= 1
                        self.turn.notify_all()
        except GivenUp:
            pass  # the worker stops and the database is away: the keeper has the page
        except BaseException as error:
            self.broken = error
        finally:
            connections.close_all()

    def over(self) -> bool:
        return self.broken is not None or super().over()

    def _close(self, threads: list[threading.Thread]) -> None:
        """Let what runs come to its end, and store it."""
        with self.turn:
            self.closing = True
            unstarted = list(self.waiting)
            self.waiting.clear()
            self.turn.notify_all()
        with self.lock:
            self.returned += unstarted
        for thread in threads:
            while thread.is_alive():
                thread.join(0.05)
                if self.flush_is_due():
                    with contextlib.suppress(GivenUp):
                        self.flush()
