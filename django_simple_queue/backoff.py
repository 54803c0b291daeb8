"""How long to wait before trying again."""

from __future__ import annotations

import random

LONGEST = 3600.0  # seconds


def retry_delay(attempt: int, base: float) -> float:
    """Seconds before the try after failed attempt number `attempt` (1, 2, ...): exponential, full jitter."""
    ceiling = min(LONGEST, base * 2 ** min(attempt - 1, 30))
    return random.uniform(0, ceiling)


def pause(tries: int, *, shortest: float = 0.002, longest: float = 0.25) -> float:
    """Seconds before a statement is sent again that met a busy or deadlocked database: full jitter."""
    return random.uniform(shortest / 2, min(longest, shortest * 2 ** min(tries, 12)))
