"""Hypothesis draws workloads that this database can run."""

from __future__ import annotations

from django.db import connection
from hypothesis import strategies as st

from django_simple_queue.backends.registry import choose, names
from django_simple_queue.exceptions import StrategyError

from .plan import FAULTS, KINDS, Crew, Fault, Group, Workload

SHAPES = ((1, 1), (2, 1), (1, 2), (1, 3))  # processes, threads
LISTS = ((), (), ("a", "b"), ("b", "a"), ("a", "b", "c"), ("a",))


def strategies() -> list[str]:
    """The names of all claim strategies that this database can run."""
    return [name for name in names() if _can_run(name)]


def _can_run(name: str) -> bool:
    try:
        choose(connection, name)
    except StrategyError:
        return False
    return True


@st.composite
def groups(draw: st.DrawFn, kinds: tuple[str, ...] = KINDS) -> Group:
    kind = draw(st.sampled_from(kinds))
    return Group(
        kind=kind,
        count=draw(st.integers(1, 2 if kind == "kills_once" else 15)),
        ms=draw(st.sampled_from([0, 0, 1, 5, 20, 50])),
        queue=draw(st.sampled_from(["a", "a", "b", "c"])),
        priority=draw(st.sampled_from([0, 0, 5, -3])),
        run_after=draw(st.sampled_from([0, 0, 0, 300, 900])),
        key=draw(st.sampled_from([None, None, None, "k", "l"])),
        attempts=2 if kind == "fails_once" else draw(st.integers(1, 2)),
        at=draw(st.sampled_from([0, 0, 1, 20])),
        cancelled_at=draw(st.sampled_from([None, None, None, 0, 1, 15])),
    )


@st.composite
def crews(draw: st.DrawFn, most: int) -> tuple[Crew, ...]:
    """Each by another strategy than its neighbour, where there is more than one."""
    offered = [*strategies(), None]
    first = draw(st.integers(0, len(offered) - 1))
    found = []
    for place in range(draw(st.integers(1, most))):
        processes, threads = draw(st.sampled_from(SHAPES if most > 1 else SHAPES[:1]))
        crew = Crew(
            processes=processes,
            threads=threads,
            queues=draw(st.sampled_from(LISTS)),
            strategy=offered[(first + place) % len(offered)],
            max_tasks=draw(st.sampled_from([None, None, 7])),
        )
        found.append(crew)
    return tuple(found)


def faults(workers: int) -> st.SearchStrategy[Fault]:
    # A suspension above a lease is worth its time only where somebody else may take over.
    what = FAULTS if workers > 1 else tuple(name for name in FAULTS if name != "suspend long")
    return st.builds(
        Fault,
        what=st.sampled_from(what),
        at=st.integers(1, 60),
        ms=st.sampled_from([0, 2, 12, 30, 100]),
        crew=st.integers(0, workers - 1),
    )


@st.composite
def wild(draw: st.DrawFn) -> Workload:
    """Up to three workers, and up to three faults."""
    chosen = draw(crews(3))
    return Workload(
        groups=tuple(draw(st.lists(groups(), min_size=4, max_size=12))),
        crews=chosen,
        faults=tuple(draw(st.lists(faults(len(chosen)), min_size=1, max_size=3))),
        burst=draw(st.booleans()),
    )


@st.composite
def calm(draw: st.DrawFn) -> Workload:
    """One worker with one process, and no faults: what runs in order."""
    kinds = tuple(kind for kind in KINDS if kind != "kills_once")
    return Workload(
        groups=tuple(draw(st.lists(groups(kinds), min_size=5, max_size=12))),
        crews=draw(crews(1)),
        burst=draw(st.booleans()),
    )
