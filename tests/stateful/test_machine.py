"""Any order of what workers and people do leaves the table as the rules say, on this database."""

from __future__ import annotations

from django.test import skipUnlessDBFeature
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.contract.cases import DatabaseCase

from .stage import on_stage


class TestMachine(DatabaseCase):
    def test_any_order_of_steps_keeps_the_rules(self) -> None:
        with on_stage() as machine:
            run_state_machine_as_test(machine, settings=settings(stateful_step_count=50))

    @skipUnlessDBFeature("has_select_for_update_skip_locked")  # two claims are open at once
    def test_a_keeper_knows_nothing_of_what_it_could_not_look_at(self) -> None:
        """Found on MySQL: the model knew of a beat from a look that an open claim had kept the keeper from."""
        with on_stage() as machine:
            state = machine()
            state.there_is_work(count=3)
            state.look(seconds=0)
            state.beat(who=0)
            for who in (0, 1):
                state.claim(who, hold=True)
            state.look(seconds=1)
            for who in (0, 1):
                state.end_claim(who=who, end="commit")
            state.look(seconds=1)
            state.workers_are_as_the_model_says()
            state.table_is_as_the_model_says()
            state.teardown()
