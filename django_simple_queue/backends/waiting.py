"""How a keeper waits for work: told by the database where it can tell, else by looking at a sensible pace."""

from __future__ import annotations

import select
import time
from collections.abc import Sequence
from typing import Any

from django.db import Error

from ..conf import get_settings
from .dialects import CHANNEL
from .health import is_pooled
from .session import Session

QUICK, SLOW = 0.035, 0.32  # seconds between looks: soon after work, and once it has been quiet
QUICK_FOR = 30.0  # seconds after work
DOUBLES_IN = 5.0  # seconds, from then on


class Waiter:
    """Looks by itself: right on every database."""

    how = f"looks for work every {QUICK:g} to {SLOW:g} s"
    wants_idle = False  # whether enqueueing tells an idle worker, so that it must say that it is one
    told = False  # of a new task, since the last look began

    def __init__(self, session: Session) -> None:
        self.session = session
        self.next_look = 0.0

    def look_is_due(self, quiet_for: float, interval: float | None) -> bool:
        """Whether to look for work now; `quiet_for`: seconds since there was some."""
        self.pause = interval or slowing(quiet_for)
        return time.monotonic() >= self.next_look

    def said_idle(self) -> None:
        """The worker's row says from now on that it is idle."""

    def looked(self, due_in: float | None) -> None:
        """A look was taken; the next SCHEDULED task is due in so many seconds."""
        pause = self.pause if due_in is None else min(self.pause, max(due_in, 0.001))
        self.next_look = time.monotonic() + pause

    def heard(self, look_within: float) -> None:
        """Somebody was woken for what was told; a look is due in so many seconds."""
        self.told = False
        self.look_within(look_within)

    def look_within(self, seconds: float) -> None:
        """The next look is due then, if not before."""
        self.next_look = min(self.next_look, time.monotonic() + seconds)

    def wait(self, seconds: float, wake_fd: int) -> None:
        """Until the next look is due, `seconds` at most, or something comes on wake_fd."""
        left = max(0.0, min(seconds, self.next_look - time.monotonic()))
        select.select([wake_fd], [], [], left)


def slowing(quiet_for: float) -> float:
    """Seconds between two looks when there has been nothing to do for `quiet_for` seconds."""
    late = min(10.0, (quiet_for - QUICK_FOR) / DOUBLES_IN)
    return QUICK if late <= 0 else min(SLOW, QUICK * 2.0**late)


class SQLiteWaiter(Waiter):
    """PRAGMA data_version costs 4 microseconds and changes whenever another connection has committed."""

    how = "sees each commit by PRAGMA data_version"
    STEP = 0.004
    FALLBACK = 10.0

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.version: Any = None  # and whose it is: another connection counts otherwise

    def look_is_due(self, quiet_for: float, interval: float | None) -> bool:
        self.pause = self.FALLBACK if interval is None else interval
        return self._changed() or time.monotonic() >= self.next_look

    def _changed(self) -> bool:
        try:
            version = self.session.rows("PRAGMA data_version")[0][0], self.session.connection.connection
        except Error:  # 'database is locked' in rollback-journal mode: somebody writes
            return True
        changed = bool(version != self.version)
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


class PostgreSQLWaiter(Waiter):
    """LISTEN: an enqueue notifies, if a worker says that it is idle. A fallback look catches rows that the ORM or 0.1.x
    code wrote.

    An enqueue that saw nobody idle may commit after a worker has said so and looked: neither finds the other. So it
    looks a few times more, at growing intervals: such a task is as late as its transaction was, or not much more.
    """

    how = "is woken by NOTIFY"
    wants_idle = True
    FALLBACK = 1.0

    def __init__(self, session: Session, queues: Sequence[str] = ()) -> None:
        super().__init__(session)
        self.queues = queues  # of which to hear; none: of all
        self.raw: Any = None  # the driver's connection that listens
        self.idle_since = 0.0

    def said_idle(self) -> None:
        self.idle_since = time.monotonic()

    def look_is_due(self, quiet_for: float, interval: float | None) -> bool:
        self.pause = interval or self.FALLBACK
        if not self.told:
            self._collect()
        if self.told:
            self.told, self.next_look = False, 0.0  # before the look: what is told during it may not be seen by it
        return time.monotonic() >= self.next_look

    def looked(self, due_in: float | None) -> None:
        if (idle_for := time.monotonic() - self.idle_since) < self.FALLBACK:
            self.pause = min(self.pause, max(QUICK, idle_for))
        super().looked(due_in)

    def wait(self, seconds: float, wake_fd: int) -> None:
        self._collect()  # one that came while another statement ran does not make the socket readable again
        left = max(0.0, min(seconds, self.next_look - time.monotonic()))
        if self.told or left == 0.0:
            return
        ready, _, _ = select.select([self.raw.fileno(), wake_fd], [], [], left)
        if self.raw.fileno() in ready:
            self._collect()

    def _collect(self) -> None:
        """Take the notifications that have come; listen first if this is a new connection."""
        self.session.connection.ensure_connection()
        raw = self.session.connection.connection
        if raw is not self.raw:
            self.session.write(f"LISTEN {CHANNEL}")
            self.raw, self.next_look = raw, 0.0  # what came before is not told
            if hasattr(raw, "add_notify_handler"):  # psycopg 3 hands over what comes during other statements
                raw.add_notify_handler(lambda notification: self._hear(notification.payload))
            return
        with self.session.connection.wrap_database_errors:
            if hasattr(raw, "pgconn"):
                raw.pgconn.consume_input()
                while notification := raw.pgconn.notifies():
                    self._hear(notification.extra.decode())
            else:
                raw.poll()
                while raw.notifies:
                    self._hear(raw.notifies.pop().payload)

    def _hear(self, queue: str) -> None:
        if not queue or not self.queues or queue in self.queues:
            self.told = True


class PooledWaiter(Waiter):
    """Behind PgBouncer: in transaction mode what listens hears nothing, and somebody else's connection hears it."""

    how = f"{Waiter.how}, since a pooler keeps notifications from it (an alias without one has them)"


def waiter_for(session: Session, queues: Sequence[str] = ()) -> Waiter:
    """The quickest for this database, what is in between and the project's settings; for these queues, or for all."""
    if session.connection.vendor == "sqlite":
        return SQLiteWaiter(session)
    if session.connection.vendor != "postgresql" or not get_settings().notify:
        return Waiter(session)
    return PooledWaiter(session) if is_pooled(session.connection) else PostgreSQLWaiter(session, queues)
