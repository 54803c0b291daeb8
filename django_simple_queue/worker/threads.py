"""A runner with several threads: they share its claims, its connection to the queue and its page."""

from __future__ import annotations

import threading

from django.db import connections

from ..queue import finish
from .runner import Runner


class ThreadedRunner(Runner):
    """The main thread claims and stores; the others run. Each task has its thread's own Django connections."""

    def work(self) -> None:
        self.turn = threading.Condition()
        self.active = 0  # tasks that run now
        self.closing = False
        self.draining = False  # a task with a loss is to come alone: start nothing until all have ended
        threads = [threading.Thread(target=self._serve, daemon=True) for _ in range(self.options.threads)]
        for thread in threads:
            thread.start()
        while not self.over():
            self._step()
        with self.turn:
            self.closing = True
            self.returned += self.waiting
            self.waiting.clear()
            self.turn.notify_all()
        for thread in threads:
            while thread.is_alive():
                thread.join(0.05)
                if self.flush_is_due():
                    self.flush()

    def _step(self) -> None:
        if self.flush_is_due():
            self.flush()
        busy = self.active + len(self.waiting)
        if len(self.waiting) < self.options.threads and not (self.draining and busy):
            if not busy:
                self.flush()
                self.draining = False
            if self.fetch():
                self._hand_out(busy)
                return
            if not busy and not self.done:
                self.idle_or_hand_out()
                return
        with self.turn:
            self.turn.wait(0.02)

    def idle_or_hand_out(self) -> None:
        self.idle()
        if self.waiting:
            self._hand_out(0)

    def _hand_out(self, busy: int) -> None:
        """Let the threads have the batch; a task with a loss only when nothing else runs here."""
        if busy and self.waiting[-1][1].losses:
            slot, claim = self.waiting.pop()
            with self.lock:
                self.patience.ride_out(lambda: finish.release(self.session, [claim]))
                self.page.empty(slot)
            self.draining = True
        with self.turn:
            self.turn.notify_all()

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
        finally:
            connections.close_all()
