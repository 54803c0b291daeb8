"""Which strategy an alias gets, and the reason that is given."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection, connections
from django.test import override_settings

from django_simple_queue.backends import ClaimSpec, ClaimStrategy, Fit, choose, get_strategy, register
from django_simple_queue.backends.base import Row
from django_simple_queue.backends.compare_and_swap import CompareAndSwap
from django_simple_queue.backends.registry import names, unregister
from django_simple_queue.exceptions import StrategyError
from django_simple_queue.testing.contract import StrategyContract

from .cases import DatabaseCase


class Theirs(CompareAndSwap):
    """A strategy that somebody else has written."""

    name = "theirs"


class Impossible(ClaimStrategy):
    name = "impossible"

    @classmethod
    def fit(cls, connection: Any) -> Fit:
        return Fit(False, "it never does")

    def _take(self, spec: ClaimSpec, limit: int) -> list[Row]:
        raise NotImplementedError


HERE = f"{__name__}.Theirs"


def database(vendor: str = "other", **flags: bool) -> Any:
    """A connection of which only the feature flags are known."""
    known = {
        "has_select_for_update": False,
        "has_select_for_update_skip_locked": False,
        "supports_select_for_update_with_limit": True,
    }
    return SimpleNamespace(vendor=vendor, alias="default", features=SimpleNamespace(**known | flags))


@pytest.mark.parametrize(
    ("flags", "name"),
    [
        ({}, "compare_and_swap"),
        ({"has_select_for_update": True}, "row_lock"),
        ({"has_select_for_update": True, "has_select_for_update_skip_locked": True}, "skip_locked"),
        (
            {
                "has_select_for_update": True,
                "has_select_for_update_skip_locked": True,
                "supports_select_for_update_with_limit": False,  # as on Oracle
            },
            "compare_and_swap",
        ),
    ],
)
def test_the_feature_flags_decide(flags: dict[str, bool], name: str) -> None:
    choice = choose(database(**flags))
    assert choice.strategy.name == name
    assert choice.why
    assert name not in choice.passed_over
    assert all(choice.passed_over.values())


def test_each_one_passed_over_says_why() -> None:
    assert choose(database()).passed_over.keys() == {"skip_locked", "row_lock", "exclusive"}


def test_what_is_asked_for_is_taken() -> None:
    flags = {"has_select_for_update": True, "has_select_for_update_skip_locked": True}
    for name in ("skip_locked", "row_lock", "compare_and_swap"):
        choice = choose(database(**flags), name)
        assert choice.strategy.name == name
        assert choice.why.startswith("asked for; ")


def test_what_cannot_run_is_refused_with_the_reason() -> None:
    with pytest.raises(StrategyError, match=r"'skip_locked' cannot run on database 'default': .*SKIP LOCKED"):
        choose(database(), "skip_locked")
    with pytest.raises(StrategyError, match="it never does"):
        choose(database(), f"{__name__}.Impossible")


@pytest.mark.parametrize("name", ["skiplocked", "no.such.module.Strategy", "django_simple_queue.models.Nothing"])
def test_an_unknown_name_is_answered_with_the_known_ones(name: str) -> None:
    with pytest.raises(StrategyError, match=rf"{name}.*skip_locked, row_lock, exclusive, compare_and_swap"):
        choose(database(), name)


@pytest.mark.parametrize("path", ["django_simple_queue.models.Task", f"{__name__}.database"])
def test_a_path_must_lead_to_a_strategy(path: str) -> None:
    with pytest.raises(StrategyError, match=r"no subclass of .*ClaimStrategy"):
        choose(database(), path)


def test_a_registered_one_comes_before_ours_where_it_fits() -> None:
    register(Theirs)
    register(Theirs)  # once is enough
    register(Impossible)
    try:
        choice = choose(database())
        assert (choice.strategy, choice.passed_over) == (Theirs, {"impossible": "it never does"})
        assert choose(database(), "theirs").strategy is Theirs
        assert names()[:2] == ["impossible", "theirs"]
    finally:
        unregister(Theirs)
        unregister(Impossible)
    assert choose(database()).strategy is CompareAndSwap


class TestRegisteredStrategy(StrategyContract, DatabaseCase):
    """Somebody else's strategy passes the contract as it is."""

    strategy_class = Theirs


class TestGetStrategy(DatabaseCase):
    def test_it_is_the_first_that_fits_this_database(self) -> None:
        strategy = get_strategy()
        choice = choose(connection)
        assert (type(strategy), strategy.why) == (choice.strategy, choice.why)
        assert strategy.session.connection is connections["default"]

    def test_the_setting_decides(self) -> None:
        for setting in ("compare_and_swap", {"default": "compare_and_swap", "other": "nonsense"}):
            with override_settings(DJANGO_SIMPLE_QUEUE_CLAIM_STRATEGY=setting):
                assert get_strategy().name == "compare_and_swap"
        with override_settings(DJANGO_SIMPLE_QUEUE_CLAIM_STRATEGY=HERE):
            assert type(get_strategy()).__name__ == "Theirs"
        with override_settings(DJANGO_SIMPLE_QUEUE_CLAIM_STRATEGY={"other": "nonsense"}):
            assert type(get_strategy()) is choose(connection).strategy

    def test_the_argument_decides_over_the_setting(self) -> None:
        with override_settings(DJANGO_SIMPLE_QUEUE_CLAIM_STRATEGY="nonsense"):
            assert get_strategy(wanted="compare_and_swap").name == "compare_and_swap"
            with pytest.raises(StrategyError):
                get_strategy()

    def test_an_unknown_alias_is_answered_with_the_known_ones(self) -> None:
        with pytest.raises(ValueError, match="no database 'elsewhere' in DATABASES; there is default"):
            get_strategy("elsewhere")
