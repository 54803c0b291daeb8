"""How a keeper waits for work: told by the database where it can tell, else by looking at a sensible pace."""

from __future__ import annotations

import select
import time
from typing import Any

from django.db import Error

from .session import Session

QUICK, SLOW = 0.02, 0.25  # seconds between looks: soon after work, and once it has been quiet
QUICK_FOR = 30.0  # seconds after work
CHANNEL = "django_simple_queue"


class Waiter:
    """Looks by itself: right on every database."""

    wants_idle = False  # whether enqueueing tells an idle worker, so that it must say that it is one

    def __init__(self, session: Session) -> None:
        self.session = session
        self.next_look = 0.0

    def look_is_due(self, quiet_for: float, interval: float | None) -> bool:
        """Whether to look for work now; `quiet_for`: seconds since there was some."""
        self.pause = interval or (QUICK if quiet_for < QUICK_FOR else min(SLOW, QUICK * quiet_for / QUICK_FOR))
        return time.monotonic() >= self.next_look

    def looked(self, due_in: float | None) -> None:
        """A look was taken; the next SCHEDULED task is due in so many seconds."""
        pause = self.pause if due_in is None else min(self.pause, max(due_in, 0.001))
        self.next_look = time.monotonic() + pause

    def wait(self, seconds: float, wake_fd: int) -> None:
        """Until the next look is due, `seconds` at most, or something comes on wake_fd."""
        left = max(0.0, min(seconds, self.next_look - time.monotonic()))
        select.select([wake_fd], [], [], left)


class SQLiteWaiter(Waiter):
    """PRAGMA data_version costs 4 microseconds and changes whenever another connection has committed."""

    STEP = 0.004
    FALLBACK = 1.0

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.version: Any = None

    def look_is_due(self, quiet_for: float, interval: float | None) -> bool:
        self.pause = self.FALLBACK if interval is None else interval
        return self._changed() or time.monotonic() >= self.next_look

    def _changed(self) -> bool:
        try:
            (version,) = self.session.rows("PRAGMA data_version")[0]
        except Error:  # 'database is locked' in rollback-journal mode: somebody writes
            return True
        changed = version != self.version
        self.version = version
        return changed

    def wait(self, seconds: float, wake_fd: int) -> None:
        end = min(time.monotonic() + seconds, self.next_look)
        while (left := end - time.monotonic()) > 0:
            if select.select([wake_fd], [], [], min(self.STEP, left))[0]:
                return
            if self._changed():
                self.next_look = 0.0
                return


WAITERS = {"sqlite": SQLiteWaiter}


def waiter_for(session: Session) -> Waiter:
    return WAITERS.get(session.connection.vendor, Waiter)(session)
