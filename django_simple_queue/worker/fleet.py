"""Several databases: one supervisor for each, and this process over them."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Sequence

from .options import Options
from .process import STOP_NOW, STOP_SOON, spawn, stop_signals
from .supervisor import Supervisor

LOOK_EVERY = 0.1  # seconds between two looks at the children


def run_worker(options: Sequence[Options]) -> int:
    """Work on one database, or on several side by side; the exit code."""
    if len(options) == 1:
        return Supervisor(options[0]).run()
    return Fleet(options).run()


class Fleet:
    def __init__(self, options: Sequence[Options]) -> None:
        self.options = options
        self.pids: set[int] = set()
        self.signals = 0

    def run(self) -> int:
        for number in stop_signals():
            signal.signal(number, self._relay)
        for each in self.options:
            self.pids.add(spawn(lambda each=each: self._one(each), each.alias))  # type: ignore[misc]
        worst = 0
        while self.pids:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                time.sleep(LOOK_EVERY)
                if self.signals or worst:  # again: a child that has only just begun may not have heard it
                    self._tell(STOP_NOW if self.signals > 1 else STOP_SOON)
            elif pid in self.pids:
                self.pids.discard(pid)
                worst = worst or abs(os.waitstatus_to_exitcode(status))  # half a worker is none: all stop
        return worst

    @staticmethod
    def _one(options: Options) -> int:
        os.setpgid(0, 0)  # Ctrl-C comes to the fleet alone, which passes it on once
        return Supervisor(options).run()

    def _relay(self, number: int, frame: object) -> None:
        self.signals += 1
        self._tell(STOP_SOON if self.signals == 1 else STOP_NOW)

    def _tell(self, number: int) -> None:
        for pid in list(self.pids):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
