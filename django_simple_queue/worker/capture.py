"""What a task prints and logs goes to its row: Python's stdout, stderr and logging, told apart by context.

What C code and subprocesses print goes to the worker's own streams.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TextIO

from ..conf import get_settings

FORMAT = "%(asctime)s %(name)s %(levelname)s %(message)s"
_current: ContextVar[list[str] | None] = ContextVar("django_simple_queue_log", default=None)


class Said(list[str]):
    """What one task says, as far as it will be kept: no more than that is held in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.room = get_settings().max_output_size + 1  # so that it can be seen that there was more

    def append(self, text: str) -> None:
        if self.room > 0:
            super().append(text[: self.room])
            self.room -= len(text)


def begin() -> list[str]:
    """From here on this context's output is appended to the list returned."""
    parts = Said()
    _current.set(parts)
    return parts


def end() -> None:
    _current.set(None)


class Stream:
    """A standard stream that belongs to whichever task writes to it."""

    def __init__(self, stream: TextIO, echo: bool) -> None:
        self._stream = stream
        self._echo = echo

    def write(self, text: str) -> int:
        parts = _current.get()
        if parts is None or not isinstance(text, str):
            return self._stream.write(text)  # which refuses what is no text
        parts.append(text)
        if self._echo:
            self._stream.write(text)
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Handler(logging.Handler):
    """Logging's way to the task's row. Other handlers still get the record."""

    def emit(self, record: logging.LogRecord) -> None:
        parts = _current.get()
        if parts is not None:
            try:
                parts.append(self.format(record) + "\n")
            except Exception:  # a wrong call of logging is told, it does not fail the task
                self.handleError(record)
        elif self.alone and record.levelno >= logging.WARNING and logging.lastResort is not None:
            logging.lastResort.handle(record)  # what Python would have done had this handler not been there

    @property
    def alone(self) -> bool:
        return logging.root.handlers == [self]


def install(echo: bool = False) -> Callable[[], None]:
    """Put the streams and the handler in place; what is returned takes them away again."""
    streams = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (Stream(stream, echo) for stream in streams)
    handler = Handler()
    handler.setFormatter(logging.Formatter(FORMAT))
    logging.root.addHandler(handler)

    def remove() -> None:
        sys.stdout, sys.stderr = streams
        logging.root.removeHandler(handler)

    return remove


@contextmanager
def installed() -> Iterator[None]:
    """For a process that is not a runner."""
    remove = install()
    try:
        yield
    finally:
        remove()
