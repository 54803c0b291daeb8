"""Any order of claims, ends of transactions and edits by hand leaves each row with at most one owner."""

from __future__ import annotations

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from .case import ClaimsCase
from .machine import on_stage
from .racing import strategies

# What is random here is what comes after what: many short runs of all kinds at once say more than few.
SIZE = settings(max_examples=max(8, settings.default.max_examples // 8), stateful_step_count=25)


class TestMachine(ClaimsCase):
    def test_any_order_of_steps_gives_a_row_to_one(self) -> None:
        with on_stage(self, "auto", "auto", "compare_and_swap") as machine:
            run_state_machine_as_test(machine, settings=SIZE)

    def test_and_so_it_does_where_rivals_wait(self) -> None:
        waiting = [name for name in strategies() if name != "skip_locked"]
        with on_stage(self, *waiting) as machine:
            run_state_machine_as_test(machine, settings=SIZE)
