"""lease(): one process at a time, on any database, with a fence that tells who came later."""

from __future__ import annotations

import asyncio
import datetime
import os
import re
import time
import uuid
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

from asgiref.sync import sync_to_async
from django.db import Error, connections, router
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Greatest

from ..backends import Session
from ..backends.errors import advised
from ..backoff import pause
from ..clock import clock
from ..conf import get_settings
from ..exceptions import LeaseHeld, LeaseLost
from ..models import Lease
from .now import UtcNow
from .renewal import Renewal
from .rows import claim_rows

NAME = re.compile(r"[a-z0-9_.:/-]{1,190}")
LONGEST = 365 * 86_400  # seconds, so that no database runs out of years


class lease:
    """A lease by name: a context manager, also an async one, or `acquire()` and `release()`.

    `ttl`: seconds (or a timedelta), 1 s to a year, after which others may take it, unless it is renewed, which a
    thread does every third of it if `renew`. `wait`: seconds for which one that is held is waited for; then LeaseHeld.
    Leaving it raises LeaseLost if it was lost meanwhile. Neither taken nor given back inside a transaction
    (RuntimeError): a rollback would undo that. A forked child has no part in its parent's.
    """

    fence: int  # grows each time that anybody takes the lease

    def __init__(
        self,
        name: str,
        ttl: float | datetime.timedelta,
        *,
        wait: float = 0,
        renew: bool = True,
        using: str | None = None,
    ) -> None:
        seconds: Any = ttl.total_seconds() if isinstance(ttl, datetime.timedelta) else ttl
        if not NAME.fullmatch(str(name)):
            raise ValueError(f"A lease's name is 1 to 190 of a-z 0-9 _ . : / - (MySQL ignores case), not {name!r}.")
        if not isinstance(seconds, (int, float)) or isinstance(seconds, bool) or not 1 <= seconds <= LONGEST:
            raise ValueError(f"A lease lasts 1 second or more, and a year at most, not {ttl!r}.")
        self.name, self.seconds, self.wait, self.keeps = name, float(seconds), wait, renew
        self.ttl = datetime.timedelta(seconds=self.seconds)
        self.alias = using or get_settings().database or router.db_for_write(Lease)
        self.owner: str | None = None
        self.pid = 0  # of the process that took it
        self.deadline = 0  # by clock(); counted from before the statement was sent
        self._renewal: Renewal | None = None

    # -- taking and giving back ----------------------------------------------------------------------------------

    def acquire(self) -> lease:
        """Take it; self. LeaseHeld if another has it and goes on having it for `wait` seconds."""
        for seconds in self._pauses():
            time.sleep(seconds)
        return self

    def _pauses(self) -> Iterator[float]:
        """Try to take it; a pause for each time that another has it."""
        if self._is_ours():
            raise RuntimeError(f"Lease {self.name!r} is taken already, by this very object.")
        end, tries = time.monotonic() + self.wait, 0
        while not self._taken():
            left = end - time.monotonic()
            if left <= 0:
                raise LeaseHeld(f"Lease {self.name!r} is held by another process on database {self.alias!r}.")
            yield min(pause(tries), left)
            tries += 1

    def _taken(self) -> bool:
        """One try."""
        session = Session(self.alias)
        if session.in_callers_transaction:
            raise RuntimeError(f"Lease {self.name!r} cannot be taken inside a transaction, which might be rolled back.")
        free = self._row().filter(Q(owner=None) | Q(expires_at__lt=UtcNow()))
        if not session.attempt(free.exists):  # which waits for nobody's confirm(), as a claim might
            if session.attempt(self._row().exists):
                return False
            new = [Lease(name=self.name)]
            session.attempt(lambda: Lease.objects.using(self.alias).bulk_create(new, ignore_conflicts=True))
        if not self._take(free):
            return False
        if self.keeps and not session.in_transaction:  # a TestCase's, which no other connection sees into
            try:
                self._renewal = Renewal(self)
            except BaseException:  # there are too many threads
                self.release()
                raise
        return True

    def _take(self, free: QuerySet[Lease]) -> bool:
        owner, sent = uuid.uuid4().hex, clock()
        updates = {"owner": owner, "fence": F("fence") + 1, "expires_at": UtcNow() + self.ttl}
        rows = claim_rows(free, limit=1, updates=updates, using=self.alias, durable=True)
        for row in rows:
            self.owner, self.pid = owner, os.getpid()
            self.fence, self.deadline = row.fence, sent + int(self.seconds * 1e9)
        return bool(rows)

    def release(self) -> None:
        """Give it back; LeaseLost if it had been lost. After another error it may be called again."""
        mine, session = self._mine(), Session(self.alias)
        if session.in_callers_transaction:
            raise RuntimeError(f"Lease {self.name!r} cannot be given back inside a transaction.")
        self._stop()
        given_back = session.attempt(lambda: mine.update(owner=None, expires_at=None))
        self.owner = None
        if not given_back:
            raise self._lost()

    def _stop(self) -> None:
        renewal, self._renewal = self._renewal, None
        if renewal is not None:
            renewal.stop()

    # -- having it -----------------------------------------------------------------------------------------------

    def check(self) -> None:
        """LeaseLost once it is lost or not renewed in time. Asks no database."""
        if not self._is_ours() or clock() > self.deadline:
            raise self._lost()

    def renew(self) -> None:
        """Have it for another `ttl` from now on; LeaseLost if another has taken it."""
        if Session(self.alias).in_callers_transaction:
            raise RuntimeError(f"Lease {self.name!r} cannot be renewed inside a transaction: use confirm() there.")
        sent = clock()
        if not self._prolong():
            self.deadline = 0
            raise self._lost()
        self.deadline = sent + int(self.seconds * 1e9)

    def _prolong(self) -> int:
        # Never to an earlier time: a statement may have waited for one that was sent after it.
        return self._mine().update(expires_at=Greatest(F("expires_at"), UtcNow() + self.ttl))

    def confirm(self) -> None:
        """LeaseLost if another has it; else nobody can take it before the caller's transaction has ended.

        So what that transaction writes cannot overlap with what a successor writes, however long this one was paused.
        """
        if not connections[self.alias].in_atomic_block:
            raise RuntimeError(f"confirm() of lease {self.name!r} belongs into the transaction that it is to protect.")
        with advised(Session(self.alias)):
            prolonged = self._prolong()
        if not prolonged:
            self.deadline = 0
            raise self._lost()

    def _row(self) -> QuerySet[Lease]:
        return Lease.objects.using(self.alias).filter(name=self.name)

    def _mine(self) -> QuerySet[Lease]:
        owner = self.owner  # which another thread may forget just now
        if owner is None or not self._is_ours():
            raise self._lost()
        return self._row().filter(owner=owner, fence=self.fence)

    def _is_ours(self) -> bool:
        return self.owner is not None and self.pid == os.getpid()

    def _lost(self) -> LeaseLost:
        return LeaseLost(f"Lease {self.name!r} is not held (any more): another process may have it.")

    # -- with ----------------------------------------------------------------------------------------------------

    def __enter__(self) -> lease:
        return self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._is_ours():
            return  # released before its end, or the end of a forked child
        try:
            self.release()
        except (LeaseLost, Error, RuntimeError):
            if error is None:
                raise
        finally:
            self._stop()
            self.owner = None

    async def aacquire(self) -> lease:
        """acquire() that lets the holder, which may be of the same event loop, go on meanwhile."""
        pauses = self._pauses()
        try:
            while (seconds := await _to_its_end(lambda: next(pauses, None))) is not None:
                await asyncio.sleep(seconds)
        except asyncio.CancelledError as error:
            await self.__aexit__(type(error), error, None)
            raise
        return self

    async def arelease(self) -> None:
        await _to_its_end(self.release)

    async def arenew(self) -> None:
        await _to_its_end(self.renew)

    async def __aenter__(self) -> lease:
        return await self.aacquire()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await _to_its_end(lambda: self.__exit__(kind, error, trace))


async def _to_its_end(work: Callable[[], Any]) -> Any:
    """Its result. Who is cancelled meanwhile still waits: a lease that nobody knew of would be renewed for ever."""
    task = asyncio.ensure_future(sync_to_async(work)())
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.gather(task, return_exceptions=True)
        raise
