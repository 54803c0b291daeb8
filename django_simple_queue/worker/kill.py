"""Whom the supervisor kills, and how: stop it, look at the board again, then kill it or let it go on."""

from __future__ import annotations

import os
import signal
import time

from . import board as b
from .interrupt import SOFT_TIMEOUT

HARD_AFTER = 5.0  # seconds that a task gets to end after its timeout was raised in it
STOP_WITHIN = 2.0  # seconds that a process gets to be seen stopped


class Killer:
    def __init__(self, board: b.Board, runners: dict[int, b.Page], lease: float) -> None:
        self.board, self.runners, self.lease = board, runners, lease
        self.stopped_since: dict[int, float] = {}
        self.looked = time.monotonic()

    def note(self, pid: int, *, stopped: bool) -> None:
        """Somebody suspended a child, or let it go on."""
        if stopped:
            self.stopped_since.setdefault(pid, time.monotonic())
        else:
            self.stopped_since.pop(pid, None)

    def forget(self, pid: int) -> None:
        self.stopped_since.pop(pid, None)

    def keeper_hangs(self) -> bool:
        """It has not ticked for a third of a lease, and we were not suspended ourselves."""
        now = time.monotonic()
        slept = now - self.looked > 1.0
        self.looked = now
        if slept:
            self.board.control[b.C_TICK] = b.clock()
            self.stopped_since = dict.fromkeys(self.stopped_since, now)  # as were those that seem stopped
        return b.clock() - self.board.control[b.C_TICK] > self.lease / 3 * 1e9

    def end_overdue(self) -> None:
        """Warn tasks past their timeout; kill runners with one that does not end, or that a person cancelled a grace
        ago, or that have been suspended for a lease."""
        for pid, page in list(self.runners.items()):
            if (since := self.stopped_since.get(pid)) is not None:
                if time.monotonic() - since > self.lease:
                    self._kill(pid, page, b.Reason.STOPPED)
            elif found := self._overdue(page):
                entry, reason = found
                if reason is b.Reason.NONE:
                    page.warn(entry)
                    os.kill(pid, SOFT_TIMEOUT)
                    continue
                if not self._halt(pid):
                    continue
                if found == self._overdue(page):
                    page.words[b.VICTIM] = entry.slot
                    self._kill(pid, page, reason)
                else:
                    os.kill(pid, signal.SIGCONT)

    def end_all(self) -> bool:
        """The shutdown timeout is over. True if a task was cut off."""
        cut = False
        for pid, page in self.runners.items():
            if page.words[b.REASON] == b.Reason.NONE and self._halt(pid):
                cut = cut or bool(page.running())
                self._kill(pid, page, b.Reason.SHUTDOWN)
        return cut

    def _overdue(self, page: b.Page) -> tuple[b.Entry, b.Reason] | None:
        """A task that has to end, and why; NONE: it may still end by itself."""
        warned = None
        now = b.clock()
        for entry in page.running():
            if not entry.timeout or (late := now - entry.started_at - entry.timeout * 1e9) <= 0:
                continue
            if entry.marks & b.Mark.CANCEL:
                return entry, b.Reason.CANCEL
            if late > HARD_AFTER * 1e9:
                return entry, b.Reason.TIMEOUT
            if not page.is_overdue(entry.slot):
                warned = entry, b.Reason.NONE
        return warned

    def _halt(self, pid: int) -> bool:
        """Stop a runner and wait until it is: what the board says then is what is. False: it has ended."""
        os.kill(pid, signal.SIGSTOP)
        end = time.monotonic() + STOP_WITHIN
        while time.monotonic() < end:
            try:
                with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
                    state = file.read().rpartition(")")[2].split()[0]
            except OSError:
                return True  # no /proc here: trust the signal
            if state in "Tt":
                return True
            if state in "ZX":
                return False
            time.sleep(0.001)
        return True

    def _kill(self, pid: int, page: b.Page, reason: b.Reason) -> None:
        page.words[b.REASON] = reason
        os.kill(pid, signal.SIGKILL)
