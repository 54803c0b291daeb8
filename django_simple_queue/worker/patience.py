"""Riding out bad weather: the database is waited for, said so once, and gone on with."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import Error

from ..backends.errors import Trouble, trouble
from ..backends.session import Session
from ..conf import get_settings

logger = logging.getLogger("django_simple_queue")
T = TypeVar("T")


class GivenUp(Exception):
    """The wait was called off: the worker stops, or the lease has run out."""


class Patience:
    """Does database work again and again until it succeeds or `call_off` says that it is no longer wanted."""

    def __init__(self, session: Session, call_off: Callable[[], bool], meanwhile: Callable[[], None] = lambda: None):
        self.session = session
        # No longer than a heartbeat: after an outage others would take us for dead.
        self.longest = min(5.0, get_settings().heartbeat_seconds)
        self.call_off = call_off
        self.meanwhile = meanwhile  # called at least every 100 ms while waiting
        self.down_since: float | None = None

    def ride_out(self, work: Callable[[], T]) -> T:
        """`work`, retried through every trouble that a wait can cure. `work` must be safe to send again."""
        tries = 0
        while True:
            try:
                result = work()
            except Error as error:
                found = trouble(error)
                if found is Trouble.OTHER:
                    raise
                if found is not Trouble.BUSY:
                    self.session.close()
                self._say(error, found, tries)
                self._sleep(random.uniform(0.05, min(self.longest, 0.2 * 2 ** min(tries, 8))))
                tries += 1
            else:
                if self.down_since is not None:
                    logger.warning(
                        "Database %r is back after %.0f s.", self.session.alias, time.monotonic() - self.down_since
                    )
                    self.down_since = None
                return result

    def _say(self, error: Error, found: Trouble, tries: int) -> None:
        # The first try after an idle connection was dropped by the server is worth no word.
        if self.down_since is None and tries > 0:
            self.down_since = time.monotonic()
            text = " ".join(str(error).split())[:300]
            message = "Database %r: %s (%s). Waiting for it; nothing is lost."
            logger.warning(message, self.session.alias, text, found.value)

    def _sleep(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if self.call_off():
                raise GivenUp
            self.meanwhile()
            time.sleep(min(0.1, left))
        if self.call_off():
            raise GivenUp
