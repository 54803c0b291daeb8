"""Soft timeouts: an exception in the task whose time is up, wherever it is; but C code is not interrupted."""

from __future__ import annotations

import ctypes
import signal
import threading
from collections.abc import Callable

from ..exceptions import TaskTimeout

SOFT_TIMEOUT = signal.SIGALRM  # from the supervisor to a runner


class Interrupt:
    """Around one thread's user code; nothing is raised outside of it."""

    def __init__(self) -> None:
        self.thread = threading.get_ident()
        self.slot = 0  # on the runner's page
        self.inside = False
        self.lock = threading.Lock()

    def __enter__(self) -> None:
        self.inside = True

    def __exit__(self, *error: object) -> None:
        if self.thread == threading.main_thread().ident:
            self.inside = False
            return
        with self.lock:
            self.inside = False
            _set_exception(self.thread, None)  # one that has not arrived yet shall not

    def raise_if(self, overdue: Callable[[int], bool]) -> None:
        """Called by the main thread's signal handler."""
        if self.thread == threading.main_thread().ident:
            if self.inside and overdue(self.slot):
                self.inside = False
                raise TaskTimeout
            return
        with self.lock:
            if self.inside and overdue(self.slot):
                _set_exception(self.thread, TaskTimeout)


def _set_exception(thread: int, kind: type[BaseException] | None) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), kind and ctypes.py_object(kind))
