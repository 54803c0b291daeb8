"""What a broken rule is: a rule book with exactly one rule replaced, which the search has to find out.

It is the test of the test. The rules themselves are in broken_rows.py and broken_boards.py.
"""

from __future__ import annotations

from .rules import Rules


class Broken(Rules):
    """One rule replaced; `violates` names the invariant, `found_in` the scenario that shows it."""

    violates = ""
    found_in = ""


def all_broken() -> tuple[type[Broken], ...]:
    """Every broken rule there is."""
    from . import broken_boards, broken_rows  # both build on the class above

    assert broken_rows
    assert broken_boards
    return tuple(Broken.__subclasses__())
