"""Rules broken on purpose: the machine has to find each of them out, on every database."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from . import broken
from .stage import on_stage
from .stories import STORIES, Story

ENOUGH = settings(
    max_examples=500,
    stateful_step_count=40,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
# What random steps come to soon; all else is told step by step.
SOON = [broken.no_loss_for_what_ran, broken.rescue_without_a_loss, broken.save_writes_everything]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("rule", SOON, ids=lambda rule: rule.__name__)
def test_a_broken_rule_is_found_out(rule: broken.Broken) -> None:
    with pytest.MonkeyPatch.context() as patch:
        rule(patch)
        with pytest.raises(AssertionError), on_stage() as machine:
            run_state_machine_as_test(machine, settings=ENOUGH)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("rule", "story"), STORIES, ids=lambda one: one.__name__)
def test_a_broken_rule_is_found_out_in_a_story(rule: broken.Broken, story: Story) -> None:
    def tell() -> None:
        with on_stage() as machine:
            played = machine()
            story(played)
            played.table_is_as_the_model_says()
            played.workers_are_as_the_model_says()

    tell()  # by the right rules
    with pytest.MonkeyPatch.context() as patch:
        rule(patch)
        with pytest.raises(AssertionError):
            tell()


def test_each_broken_rule_has_a_story() -> None:
    rules = {rule for rule in vars(broken).values() if callable(rule) and rule.__module__ == broken.__name__}
    tools = {broken.misspell, broken.respecify, broken._see}
    assert {rule for rule, _ in STORIES} == rules - tools
