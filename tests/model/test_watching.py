"""Nobody is declared dead who beats, whatever the clocks and the database do; broken watches are found out."""

from __future__ import annotations

import pytest

from .watching import ALIVE_WITHIN_ITS_LEASE, BEAT_WHENEVER_IT_COULD, LEASE, Rules, State, search


class BeginsBeforeTheLook(Rules):
    """A beat that lands between the watcher's own beat and its look is dated too early."""

    def since(self, sent: int, now: int) -> int:
        return sent


class GoesOnAfterAnOutage(Rules):
    """The watcher could not beat itself, and takes the other's silence for death."""

    def starts_anew(self, state: State, sent: int) -> bool:
        return False


class ByTheClock(Rules):
    """The database's clock decides, which is another one after a failover."""

    def is_over(self, state: State, sent: int) -> bool:
        return state.now + state.ahead - state.beat_at >= LEASE


class Impatient(Rules):
    def is_over(self, state: State, sent: int) -> bool:
        return sent - state.since >= LEASE - 1


def test_who_beats_is_not_declared_dead_and_who_sleeps_is() -> None:
    found = search(Rules())
    print(found.states, "states")
    assert found.wrong is None, found
    assert found.declared


@pytest.mark.parametrize(
    ("broken", "violates"),
    [
        (BeginsBeforeTheLook, ALIVE_WITHIN_ITS_LEASE),
        (GoesOnAfterAnOutage, BEAT_WHENEVER_IT_COULD),
        (ByTheClock, BEAT_WHENEVER_IT_COULD),
        (Impatient, ALIVE_WITHIN_ITS_LEASE),
    ],
)
def test_a_broken_watch_is_found_out(broken: type[Rules], violates: str) -> None:
    found = search(broken())
    print(*found.story, sep="\n")
    assert found.wrong == violates, found
