"""Any order of what workers and people do leaves the table as the rules say, on this database."""

from __future__ import annotations

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.contract.cases import DatabaseCase

from .stage import on_stage


class TestMachine(DatabaseCase):
    def test_any_order_of_steps_keeps_the_rules(self) -> None:
        with on_stage() as machine:
            run_state_machine_as_test(machine, settings=settings(stateful_step_count=50))
