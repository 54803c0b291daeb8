"""lease(): one process at a time, on any database, with a fence that tells who came later."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import logging
import re
import threading
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
from ..backends.errors import Trouble, trouble
from ..backoff import pause
from ..clock import clock
from ..conf import get_settings
from ..exceptions import LeaseHeld, LeaseLost
from ..models import Lease
from .now import DbNow
from .rows import claim_rows

logger = logging.getLogger("django_simple_queue")
NAME = re.compile(r"[a-z0-9_.:/-]{1,190}")
AGAIN = 0.5  # seconds after which a renewal that failed is tried again


class lease:
    """A lease by name: a context manager, also an async one, or `acquire()` and `release()`.

    `ttl`: seconds (or a timedelta, at least 1 s) after which others may take it, unless it is renewed, which a thread
    does every third of it if `renew`. `wait`: seconds for which one that is held is waited for; then LeaseHeld.
    Leaving it raises LeaseLost if it was lost meanwhile. Not inside a transaction (RuntimeError): a rollback would
    take it back.
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
        if not isinstance(seconds, (int, float)) or isinstance(seconds, bool) or not seconds >= 1:
            raise ValueError(f"A lease lasts 1 second or more, not {ttl!r}.")
        self.name, self.seconds, self.wait, self.keeps = name, float(seconds), wait, renew
        self.ttl = datetime.timedelta(seconds=self.seconds)
        self.alias = using or get_settings().database or router.db_for_write(Lease)
        self.owner: str | None = None
        self.deadline = 0  # by clock(); counted from before the statement was sent
        self._left = threading.Event()
        self._thread: threading.Thread | None = None

    # -- taking and giving back ----------------------------------------------------------------------------------

    def acquire(self) -> lease:
        """Take it; self. LeaseHeld if another has it and goes on having it for `wait` seconds."""
        for seconds in self._pauses():
            time.sleep(seconds)
        return self

    def _pauses(self) -> Iterator[float]:
        """Try to take it; a pause for each time that another has it."""
        if self.owner is not None:
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
        if not self._take():
            if self._row().exists():
                return False
            new = [Lease(name=self.name)]
            session.attempt(lambda: Lease.objects.using(self.alias).bulk_create(new, ignore_conflicts=True))
            if not self._take():
                return False
        self._left = threading.Event()
        if self.keeps and not session.in_transaction:  # a TestCase's, which no other connection sees into
            self._thread = threading.Thread(
                target=self._keep, args=[self._left], name=f"lease {self.name}", daemon=True
            )
            self._thread.start()
        return True

    def _take(self) -> bool:
        owner, sent = uuid.uuid4().hex, clock()
        free = self._row().filter(Q(owner=None) | Q(expires_at__lt=DbNow()))
        updates = {"owner": owner, "fence": F("fence") + 1, "expires_at": DbNow() + self.ttl}
        for row in claim_rows(free, limit=1, updates=updates, using=self.alias, durable=True):
            self.owner, self.fence, self.deadline = owner, row.fence, sent + int(self.seconds * 1e9)
        return self.owner is not None

    def release(self) -> None:
        """Give it back; LeaseLost if it had been lost."""
        self._stop()
        mine, self.owner = self._mine(), None
        if not mine.update(owner=None, expires_at=None):
            raise self._lost()

    def _stop(self) -> None:
        self._left.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(self.seconds)

    # -- having it -----------------------------------------------------------------------------------------------

    def check(self) -> None:
        """LeaseLost once it is lost or not renewed in time. Asks no database."""
        if self.owner is None or clock() > self.deadline:
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
        return self._mine().update(expires_at=Greatest(F("expires_at"), DbNow() + self.ttl))

    def confirm(self) -> None:
        """LeaseLost if another has it; else nobody can take it before the caller's transaction has ended.

        So what that transaction writes cannot overlap with what a successor writes, however long this one was paused.
        """
        if not connections[self.alias].in_atomic_block:
            raise RuntimeError(f"confirm() of lease {self.name!r} belongs into the transaction that it is to protect.")
        if not self._prolong():
            self.deadline = 0
            raise self._lost()

    def _row(self) -> QuerySet[Lease]:
        return Lease.objects.using(self.alias).filter(name=self.name)

    def _mine(self) -> QuerySet[Lease]:
        owner = self.owner  # which another thread may forget just now
        if owner is None:
            raise self._lost()
        return self._row().filter(owner=owner, fence=self.fence)

    def _lost(self) -> LeaseLost:
        return LeaseLost(f"Lease {self.name!r} is not held (any more): another process may have it.")

    def _keep(self, left: threading.Event) -> None:
        """Renew it until it is left or lost; what the database cannot do now is tried again until the deadline.

        A lock in the way is no reason to stop: it may be that of our own confirm().
        """
        third = self.seconds / 3
        try:
            while not left.wait(max(0.0, (self.deadline - clock()) / 1e9 - 2 * third)):
                try:
                    self.renew()
                except LeaseLost:
                    if not left.is_set():
                        logger.warning("Lease %r was lost: another process has taken it.", self.name)
                    return
                except Error as error:
                    connections[self.alias].close()
                    if clock() > self.deadline and trouble(error) is not Trouble.BUSY:
                        logger.warning("Lease %r could not be renewed in time: %s", self.name, error)
                        return
                    left.wait(min(AGAIN, third))
        finally:
            connections[self.alias].close()

    # -- with ----------------------------------------------------------------------------------------------------

    def __enter__(self) -> lease:
        return self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.owner is None:
            return  # released before its end
        try:
            self.release()
        except (LeaseLost, Error):
            if error is None:
                raise

    async def aacquire(self) -> lease:
        """acquire() that lets the holder, which may be of the same event loop, go on meanwhile."""
        pauses = self._pauses()
        try:
            while (seconds := await _to_its_end(lambda: next(pauses, None))) is not None:
                await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            if self.owner is not None:
                with contextlib.suppress(LeaseLost, Error):
                    await _to_its_end(self.release)
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
