"""Storing beside claiming: while a runner asks for its next batch, its last one is stored on a second connection.

No task runs meanwhile, so that none of them ever meets a thread that is not its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from ..backends import OwnSession
from ..queue import finish
from .patience import Patience

WORTH = 100  # tasks: below, a thread and a connection cost more than they save


class Beside:
    """One at a time: `start`, then `result`."""

    def __init__(self, alias: str, call_off: Callable[[], bool]) -> None:
        self.session = OwnSession(alias)
        self.patience = Patience(self.session, call_off)
        # Where one writer keeps out all others it would only get in the claim's way.
        self.pays = not self.session.dialect.one_writer

    def start(self, done: Sequence[finish.Done]) -> None:
        self.thread = threading.Thread(target=self._store, args=[done], name="store")
        self.found: finish.Result | BaseException | None = None
        self.thread.start()

    def _store(self, done: Sequence[finish.Done]) -> None:
        try:
            self.found = self.patience.ride_out(lambda: finish.finish(self.session, done))
        except BaseException as error:
            self.found = error

    def result(self) -> finish.Result:
        """Wait for it; raises what it raised."""
        self.thread.join()
        if not isinstance(self.found, finish.Result):
            raise self.found or RuntimeError("What was to be stored beside a claim was not.")
        return self.found

    def close(self) -> None:
        self.session.close()
