"""Breadth-first search over every state that the rules allow."""

from __future__ import annotations

import gc
from collections import deque
from itertools import pairwise
from typing import NamedTuple

from . import onlooker
from .state import Left, Page, Row, State, Worker, canonical
from .steps import steps
from .world import World


class Scenario(NamedTuple):
    """A size, what may befall it, and who lives in it."""

    name: str
    world: World
    workers: int = 2
    runners: int = 1
    rows: tuple[Row, ...] = (Row(), Row())
    left: Left = Left()
    # No innocent may be FAILED by losses here: nothing dies but by a killer's hand.
    spared: bool = False

    def start(self) -> State:
        """Everything at rest."""
        worker = Worker(pages=(Page(),) * self.runners)
        return State(self.rows, (worker,) * self.workers, self.left)


class Found(NamedTuple):
    """What a search brought home."""

    states: int
    steps: int
    wrong: str | None = None
    trace: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [f"{self.states} states, {self.steps} steps: {self.wrong or 'nothing violated'}"]
        return "\n".join(lines + [f"  {n}. {words}" for n, words in enumerate(self.trace, 1)])


def search(scenario: Scenario, limit: int = 400_000) -> Found:
    """Every reachable state, the shortest way to the first violation; more than `limit` is an error."""
    collecting = gc.isenabled()
    gc.disable()  # a million small tuples, none of them garbage: a third of the time went there
    try:
        return explored(scenario, limit)
    finally:
        if collecting:
            gc.enable()


def explored(scenario: Scenario, limit: int) -> Found:
    world = scenario.world
    first = canonical(scenario.start())
    number = {first: 0}
    order = [first]
    parent = [-1]
    followers: list[list[int]] = []
    done = 0
    at = 0
    while at < len(order):
        state = order[at]
        onward: list[int] = []
        for step in steps(world, state):
            done += 1
            after = step.state
            known = number.get(after)
            if known is None:
                known = number.get(after := canonical(after))
            if known is None:
                known = number[after] = len(order)
                if known >= limit:
                    raise RuntimeError(f"{scenario.name}: more than {limit} states")
                order.append(after)
                parent.append(at)
                wrong = onlooker.violated(world.rules, after, world.killers, scenario.spared)
                # The gravest of two is reported.
                if step.wrong and (step.wrong == onlooker.STALE or wrong != onlooker.ONE_HOLDER):
                    wrong = step.wrong
            else:
                wrong = step.wrong
            if wrong:
                return Found(len(order), done, wrong, replay(scenario, [*path(order, parent, at), after]))
            if not step.chance and known != at:
                onward.append(known)
        followers.append(onward)
        at += 1
    stuck = first_stuck(order, followers)
    if stuck is None:
        return Found(len(order), done)
    trace = replay(scenario, path(order, parent, stuck))
    end = "from here on nothing that is sure to happen ends every task"
    return Found(len(order), done, onlooker.NOTHING_LOST, (*trace, end))


def path(order: list[State], parent: list[int], at: int) -> list[State]:
    """The states from the first one to this one."""
    way = []
    while at >= 0:
        way.append(order[at])
        at = parent[at]
    return way[::-1]


def first_stuck(order: list[State], followers: list[list[int]]) -> int | None:
    """A state from which no way without further misfortune leads to where all tasks have ended."""
    leading: list[list[int]] = [[] for _ in order]
    for at, onward in enumerate(followers):
        for after in onward:
            leading[after].append(at)
    good = [onlooker.settled(state) for state in order]
    todo = deque(at for at, fine in enumerate(good) if fine)
    while todo:
        for before in leading[todo.popleft()]:
            if not good[before]:
                good[before] = True
                todo.append(before)
    return next((at for at, fine in enumerate(good) if not fine), None)


def replay(scenario: Scenario, way: list[State]) -> tuple[str, ...]:
    """The same way in words, with workers that keep their names where that is possible."""
    try:
        return told(scenario, way, keep_names=True)
    except StopIteration:  # two workers alike but for a number: canonical() may name them either way
        return told(scenario, way, keep_names=False)


def told(scenario: Scenario, way: list[State], keep_names: bool) -> tuple[str, ...]:
    """The words of each step from state to state."""
    words = []
    state = scenario.start()
    for before, after in pairwise(way):
        onward = steps(scenario.world, state if keep_names else before)
        step = next(step for step in onward if canonical(step.state) == after)
        words.append(step.words)
        state = step.state
    return tuple(words)
