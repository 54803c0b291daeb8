"""The primary keys of new tasks."""

from __future__ import annotations

import os
import time
import uuid

from ..backends.session import Session

MS = 1_000_000  # nanoseconds


def new_id(session: Session) -> uuid.UUID:
    """A UUID that nobody can guess; it begins with the time (version 7 of RFC 9562) where that pays."""
    if not session.dialect.ids_by_time():
        return uuid.uuid4()
    ms, rest = divmod(time.time_ns(), MS)
    chance = int.from_bytes(os.urandom(8), "big") >> 2
    return uuid.UUID(int=(ms << 80) | (7 << 76) | ((rest << 12) // MS << 64) | (0b10 << 62) | chance)
