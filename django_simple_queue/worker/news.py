"""Pipes between keeper and runners: a wake-up, a ring, or a task whose end its dead runner could not tell."""

from __future__ import annotations

import contextlib
import os
import uuid

from ..records import Claim
from . import listeners

SIZE = 33  # one letter and an id in hex; far below PIPE_BUF, so that a record is never torn
WAKE = b"W"
SUCCEEDED, UNSUCCESSFUL, LOST, TIMED_OUT = b"S", b"F", b"L", b"T"
NOBODY = b"0" * 32


class PipeEnd:
    """One that this process's tasks may close behind our back."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.stat = os.fstat(fd)

    def fileno(self) -> int:
        return self.fd

    def is_whole(self) -> bool:
        """False: it has been closed, and its number may be another file's by now."""
        try:
            return os.path.samestat(os.fstat(self.fd), self.stat)
        except OSError:
            return False


def write_news(fd: int, kind: bytes, task: uuid.UUID | None = None) -> None:
    """Never blocks: a runner whose pipe is full has wake-ups enough."""
    with contextlib.suppress(BlockingIOError):
        os.write(fd, kind + (task.hex.encode() if task else NOBODY))


def ring(fd: int) -> None:
    """Wake whoever waits on a pipe whose content says nothing."""
    with contextlib.suppress(BlockingIOError):
        os.write(fd, b"!")


def drain(fd: int) -> bool:
    """Forget all rings; whether there were any."""
    with contextlib.suppress(BlockingIOError):
        return bool(os.read(fd, 65536))
    return False


def read_news(fd: int, alias: str) -> None:
    """Take what there is; send the signals of tasks whose runner died before it could."""
    try:
        data = os.read(fd, SIZE * 256)
    except BlockingIOError:
        return
    for at in range(0, len(data) - SIZE + 1, SIZE):
        kind, key = data[at : at + 1], data[at + 1 : at + SIZE]
        if kind == WAKE:
            continue
        claim = Claim(uuid.UUID(key.decode()), "", None, "", 0, 0, 0, 0, None, None, False, 0)
        if kind == SUCCEEDED:
            listeners.on_success(claim, alias)
            continue
        error = TimeoutError("the task ran longer than its timeout") if kind == TIMED_OUT else None
        listeners.on_failure(claim, alias, error)
