"""The clock by which this machine waits; it is compared with no other machine's."""

from __future__ import annotations

import time

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def clock() -> int:
    """Nanoseconds on a clock that all processes share, that is never set and that counts a suspended laptop's sleep."""
    return time.clock_gettime_ns(_CLOCK)
