"""From a Claim to an Outcome, with no database of ours and no model: the callable is found, called and heard out."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import json
import math
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

from asgiref.sync import async_to_sync
from django.db import Error, connections

from .. import callables
from ..conf import get_settings
from ..context import CurrentTask, running
from ..exceptions import TaskTimeout
from ..records import PLAIN_SUCCESS, Claim, Outcome, failure
from . import capture, listeners
from .interrupt import SOFT_TIMEOUT, Interrupt
from .process import RELAYED

try:  # what signal.getsignal() calls, before it makes an enum member of the answer: that takes longer than a small task
    from _signal import getsignal  # type: ignore[import-not-found]
except ImportError:
    from signal import getsignal

HANDLED = (*RELAYED, SOFT_TIMEOUT)  # signals that must keep their handlers
REFRESH_EVERY = 0.5  # seconds after the last task for which its connections count as looked after
SHOW_EVERY = 0.5  # seconds between two looks at a running generator's output
CUT = "\n[cut: DJANGO_SIMPLE_QUEUE_MAX_OUTPUT_SIZE is {} bytes]"


class Executor:
    """Runs tasks one after the other in the thread that made it."""

    def __init__(
        self,
        alias: str,
        *,
        show: Callable[[Claim, str], None],
        atomically: Callable[[str, Claim, Callable[[], Outcome]], Outcome],
        own_process: bool = True,
    ) -> None:
        self.show = show  # stores what a generator has yielded so far
        self.atomically = atomically  # calls and finishes in one transaction
        self.alias = alias
        self.pid = os.getpid()
        self.own_process = own_process  # else connections, folder and event loop are somebody else's to keep in order
        self.folder = _folder()
        self.loop = self._new_loop() if own_process else None
        self.loop_used = False
        self.tidied_at = 0.0
        self.yielded: list[str] = []  # by the generator that runs
        self.error: BaseException | None = None  # of the last run
        self.interrupt = Interrupt()
        in_main = own_process and threading.current_thread() is threading.main_thread()
        self.handlers = {number: getsignal(number) for number in HANDLED} if in_main else {}

    def run(self, claim: Claim, is_cancelled: Callable[[], bool]) -> Outcome:
        """Run one task in a context of its own and put the process back in order."""
        try:
            return contextvars.Context().run(self._run, claim, is_cancelled)
        finally:
            if self.own_process:
                self._tidy()

    def _run(self, claim: Claim, is_cancelled: Callable[[], bool]) -> Outcome:
        running.set(CurrentTask(claim, is_cancelled))
        if self.own_process:
            asyncio.set_event_loop(self.loop)
            if time.monotonic() - self.tidied_at > REFRESH_EVERY:
                _refresh_connections()
        said = capture.begin()
        self.yielded, self.error = [], None
        try:
            listeners.before_job(claim, self.alias)
            found = callables.resolve(claim.task)

            def call() -> Outcome:
                with self.interrupt:
                    try:
                        output = self._call(claim, found)
                    finally:
                        if os.getpid() != self.pid:
                            os._exit(0)  # the task forked and its child came back: what is open here is its parent's
                if output is None and not said:
                    return PLAIN_SUCCESS
                return Outcome(output=storable(output), log=storable("".join(said)) if said else None)

            outcome = self.atomically(self.alias, claim, call) if found.options.atomic else call()
        # A task that exits or interrupts ends itself, not its worker.
        except BaseException as error:
            self.error = error
            capture.end()
            listeners.log_failure(claim, error)
            outcome = failed(claim, error)._replace(
                output=storable("".join(self.yielded)), log=storable("".join(said)) if said else None
            )
        return outcome

    def _call(self, claim: Claim, found: callables.Resolved) -> str | None:
        result = found.call(**arguments(claim.args))
        if found.streams:
            return self._read_out(claim, result, shown=not found.options.atomic)
        if inspect.isawaitable(result):
            result = async_to_sync(_wait_for)(result)
        return None if result is None else str(result)

    def _read_out(self, claim: Claim, parts: Any, *, shown: bool) -> str:
        """A generator's yields, appended as they come and shown twice a second (not while its row is locked)."""
        next_show = 0.0 if shown else math.inf
        if hasattr(parts, "__anext__"):
            parts = async_to_sync(_all_of)(parts)
        for iteration, part in enumerate(parts):
            listeners.before_loop(claim, self.alias, iteration)
            if not isinstance(part, str):
                raise TypeError(f"a generator task should yield str, it yielded {part!r}")
            self.yielded.append(part)
            listeners.after_loop(claim, self.alias, part, iteration)
            if time.monotonic() >= next_show:
                self.show(claim, storable("".join(self.yielded)) or "")
                next_show = time.monotonic() + SHOW_EVERY
        return "".join(self.yielded)

    def _tidy(self) -> None:
        """Put back what the task may have changed or left: signal handlers, folder, transactions, event loop."""
        for number, handler in self.handlers.items():
            if getsignal(number) is not handler:
                signal.signal(number, handler)
        if self.folder and _folder() != self.folder:
            with contextlib.suppress(OSError):  # it is gone, as after a deployment: no task's fault
                os.chdir(self.folder)
        close_open_transactions()
        self.tidied_at = time.monotonic()
        if self.loop is None or self.loop.is_closed():
            self.loop = self._new_loop()
        elif self.loop_used and (left := asyncio.all_tasks(self.loop)):
            for task in left:
                task.cancel()
            with contextlib.suppress(OSError):  # its selector was closed: the runner ends itself
                self.loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self.loop_used = False

    def _new_loop(self) -> asyncio.AbstractEventLoop:
        """One that tells whether it was used: a look through all of the process takes longer than a small task."""

        def make(loop: asyncio.AbstractEventLoop, coroutine: Any, **given: Any) -> Any:
            self.loop_used = True
            return asyncio.Task(coroutine, loop=loop, **given)

        loop = asyncio.new_event_loop()
        loop.set_task_factory(make)
        return loop


def failed(claim: Claim, error: BaseException) -> Outcome:
    """The outcome of a run that raised `error`."""
    timed_out = isinstance(error, TaskTimeout)
    seconds = claim.timeout or get_settings().task_timeout or 0
    first = f"Task timed out after {seconds:g} seconds" if timed_out else listeners.described(error)
    text = f"{first}\n\n{''.join(traceback.format_exception(error))}"
    return failure(storable(text) or "", kind="timeout" if timed_out else "error", final=gives_up(claim, error))


def gives_up(claim: Claim, error: BaseException) -> bool:
    """Whether the task's callable says that no further attempt is worth it."""
    try:
        return callables.resolve(claim.task).options.gives_up(error)
    except Exception:  # it cannot be found: perhaps after the next deployment
        return False


def arguments(text: str | None) -> dict[str, Any]:
    """The stored arguments; none stored is none given."""
    if not text:
        return {}
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ValueError(f"the stored arguments are no JSON: {error}") from None
    if not isinstance(found, dict):
        raise TypeError(f"the stored arguments should be a JSON object, not {text[:80]!r}")
    return found


def storable(text: str | None) -> str | None:
    """Text as every database takes it: no NUL, no lone surrogates, not above MAX_OUTPUT_SIZE."""
    if text is None:
        return None
    most = get_settings().max_output_size
    if text.isascii() and "\0" not in text and len(text) <= most:
        return text
    data = text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace")
    if len(data) > most:
        mark = CUT.format(most)
        return data[: max(0, most - len(mark))].decode("utf-8", "ignore") + mark
    return data.decode("utf-8")


async def _wait_for(awaitable: Any) -> Any:
    return await awaitable


async def _all_of(parts: Any) -> list[Any]:
    return [part async for part in parts]


def _folder() -> str | None:
    """The working directory, unless somebody has removed it."""
    with contextlib.suppress(OSError):
        return os.getcwd()
    return None


def _refresh_connections() -> None:
    for connection in connections.all(initialized_only=True):
        connection.close_if_unusable_or_obsolete()


def close_open_transactions() -> None:
    """A task's connections, this thread's: roll back and drop those in a transaction, others as they have aged."""
    for connection in connections.all(initialized_only=True):
        connection.queries_log.clear()
        with contextlib.suppress(Error):  # it was broken
            if connection.connection is not None and (connection.in_atomic_block or not connection.autocommit):
                connection.in_atomic_block = False  # or close() would keep it for the end of a block that never comes
                connection.close()
            else:
                connection.close_if_unusable_or_obsolete()
