"""Adapters of task queues, one module each; this imports none, for each needs an environment of its own."""

from __future__ import annotations

from pathlib import Path

# What is here besides adapters.
_MACHINERY = {"__init__", "__main__", "agent", "peer"}


def adapters() -> list[str]:
    """The adapters' modules by name, our own queue and the bare driver among them."""
    return sorted({path.stem for path in Path(__file__).parent.glob("*.py")} - _MACHINERY)
