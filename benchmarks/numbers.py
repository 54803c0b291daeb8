"""Numbers made by SQL, on any database, for rows by the million."""

from __future__ import annotations

DIGITS = " UNION ALL ".join(f"SELECT {digit} AS digit" for digit in range(10))
PLACES = 7


def numbers(count: int) -> str:
    """WITH clause of a table `numbers` whose column n is 0 to `count` - 1."""
    number = " + ".join(f"d{place}.digit * {10**place}" for place in range(PLACES))
    digits = ", ".join(f"digits d{place}" for place in range(PLACES))
    return f"WITH digits AS ({DIGITS}), numbers AS (SELECT {number} AS n FROM {digits} WHERE {number} < {count})"
