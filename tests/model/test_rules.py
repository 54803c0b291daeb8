"""The right rules violate nothing in any world; every broken one is found out."""

from __future__ import annotations

import pytest

from .broken import BROKEN, Broken
from .rules import Rules
from .scenarios import scenarios
from .search import Scenario, search

RULES = Rules()
WORLDS = scenarios(RULES)


@pytest.mark.parametrize("scenario", WORLDS, ids=lambda scenario: scenario.name.replace(" ", "-"))
def test_the_rules_violate_nothing(scenario: Scenario, record_property) -> None:
    found = search(scenario)
    print(found)
    record_property("states", found.states)
    assert found.wrong is None, str(found)


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.__name__)
def test_a_broken_rule_is_found_out(broken: type[Broken]) -> None:
    scenario = next(each for each in scenarios(broken()) if each.name == broken.found_in)
    found = search(scenario)
    print(found)
    assert found.wrong is not None, f"{broken.__name__} survived {found.states} states of {scenario.name!r}"
    assert found.wrong == broken.violates, str(found)


def test_each_broken_rule_replaces_exactly_one() -> None:
    own = {"violates", "found_in", "__module__", "__doc__"}
    assert {broken.__name__: len(set(vars(broken)) - own) for broken in BROKEN} == {b.__name__: 1 for b in BROKEN}
