"""The thread that renews a lease while its holder works."""

from __future__ import annotations

import logging
import threading
import weakref
from typing import TYPE_CHECKING

from django.db import Error, connections

from ..backends.errors import Trouble, trouble
from ..clock import clock
from ..exceptions import LeaseLost

if TYPE_CHECKING:
    from .lease import lease

logger = logging.getLogger("django_simple_queue")
AGAIN = 0.5  # seconds after which a renewal that failed is tried again


class Renewal:
    """Renews a lease every third of its time until it is stopped or lost, or the object is there no more.

    What the database cannot do now is tried again until the deadline. A lock in the way is no reason to stop: it may
    be that of our own confirm().
    """

    def __init__(self, held: lease) -> None:
        # Weakly: a lease that nobody can release any more would be renewed for as long as the process lives.
        self._held = weakref.ref(held)
        self._name, self._alias, self._seconds = held.name, held.alias, held.seconds
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"lease {held.name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._left.set()
        self._thread.join(self._seconds)

    def _keep(self) -> None:
        try:
            while not self._left.wait(self._pause()):
                if not self._goes_on():
                    return
        finally:
            connections[self._alias].close()

    def _pause(self) -> float:
        held = self._held()
        return max(0.0, (held.deadline - clock()) / 1e9 - self._seconds * 2 / 3) if held else 0.0

    def _goes_on(self) -> bool:
        """Renew it; whether it is to be renewed again."""
        held = self._held()
        if held is None:
            logger.warning("Lease %r is not renewed any more: it was dropped without release().", self._name)
            return False
        try:
            held.renew()
        except LeaseLost:
            if not self._left.is_set():
                logger.warning("Lease %r was lost: another process has taken it.", self._name)
            return False
        except Error as error:
            connections[self._alias].close()
            if clock() > held.deadline and trouble(error) is not Trouble.BUSY:
                logger.warning("Lease %r could not be renewed in time: %s", self._name, error)
                return False
            self._left.wait(min(AGAIN, self._seconds / 3))
        return True
