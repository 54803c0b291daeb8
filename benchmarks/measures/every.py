"""The measures by name, as --measure takes them."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.driver.agents import AgentError
from benchmarks.measures.drain import drain, sleepers
from benchmarks.measures.enqueue import enqueue
from benchmarks.measures.idle import idle
from benchmarks.measures.load import load
from benchmarks.measures.subject import Figures, Subject


def drains(subject: Subject) -> Figures:
    return drain(subject, "noop", 1) | drain(subject, "noop", 4)


def sleeps(subject: Subject) -> Figures:
    figures = drain(subject, "sleep1", 1)
    try:
        return figures | sleepers(subject)
    except AgentError as error:
        if str(error).startswith("NotImplementedError"):
            return figures
        raise


MEASURES: dict[str, Callable[[Subject], Figures]] = {
    "drain": drains,
    "sleep": sleeps,
    "enqueue": enqueue,
    "idle": idle,
    "load": load,
}
