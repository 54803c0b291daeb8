"""python -m tests.model [wide]: what each world amounts to, or how it fails."""

from __future__ import annotations

import sys
import time

from .rules import Rules
from .scenarios import scenarios, wide
from .search import search


def main() -> int:
    """Search them all; 1 if a rule was violated."""
    failed = 0
    for scenario in (wide if "wide" in sys.argv[1:] else scenarios)(Rules()):
        since = time.perf_counter()
        found = search(scenario, limit=5_000_000)
        failed |= found.wrong is not None
        print(f"{scenario.name}: {found} ({time.perf_counter() - since:.1f} s)", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
