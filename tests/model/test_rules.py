"""The right rules violate nothing in any world; every broken one is found out."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .alternatives import NothingBesideALoss
from .broken import Broken, all_broken
from .onlooker import NEIGHBOUR
from .rules import Rules
from .scenarios import killers, scenarios
from .search import Scenario, search

WORLDS = scenarios(Rules())
BROKEN = all_broken()


@pytest.mark.parametrize("scenario", WORLDS, ids=lambda scenario: scenario.name.replace(" ", "-"))
def test_the_rules_violate_nothing(scenario: Scenario, record_property: Callable[[str, object], None]) -> None:
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


@pytest.mark.parametrize(
    ("rules", "count", "outside", "spared"),
    [
        (Rules(2), 1, 0, True),
        (Rules(2), 1, 1, False),
        (Rules(2), 2, 0, False),
        (Rules(3), 1, 1, True),
        (Rules(3), 1, 2, False),
        (Rules(3), 2, 0, True),
        (NothingBesideALoss(2), 2, 0, True),
        (NothingBesideALoss(2), 1, 1, False),
    ],
    ids=lambda value: f"{type(value).__name__}-{value.max_losses}" if isinstance(value, Rules) else str(value),
)
def test_how_many_deaths_an_innocent_outlives(rules: Rules, count: int, outside: int, spared: bool) -> None:
    """As many killers and deaths from outside as MAX_WORKER_LOSSES can fail it, fewer cannot."""
    found = search(killers(rules, count, outside))
    print(found)
    assert found.wrong == (None if spared else NEIGHBOUR), str(found)


def test_each_broken_rule_replaces_exactly_one() -> None:
    def replaced(broken: type) -> set[str]:
        return {name for name in vars(broken) if not name.startswith("__")} - {"violates", "found_in"}

    assert {broken.__name__: len(replaced(broken)) for broken in BROKEN} == {b.__name__: 1 for b in BROKEN}
