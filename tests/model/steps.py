"""Every step that can follow a state."""

from __future__ import annotations

from collections.abc import Iterator

from .keepers import keeper, ticks
from .people import persons
from .runners import runner
from .state import UP, State
from .workers import fate, landing
from .world import Step, World


def steps(world: World, state: State) -> Iterator[Step]:
    """All steps that can follow."""
    helper = False
    for p, worker in enumerate(state.workers):
        if worker.process == UP:
            helper = True
            for r, page in enumerate(worker.pages):
                yield from runner(world, state, p, r, page)
            yield from keeper(world, state, p, worker)
        yield from fate(world, state, p, worker)
    if helper:
        yield from ticks(world, state)
    for flight in state.flight:
        yield from landing(world, state, flight)
    yield from persons(world, state)
