"""Tasks are added: one by one, in one transaction, in bulk."""

from __future__ import annotations

from benchmarks.driver.agents import AgentError
from benchmarks.measures.subject import Figures, Subject

SECONDS = 1.0
MOST = 20_000
BULK = 10_000


def enqueue(subject: Subject) -> Figures:
    subject.agent.call("empty")
    figures = {
        "enqueue one by one /s": rate(subject, "add_timed"),
        "enqueue in a transaction /s": rate(subject, "add_in_transaction"),
    }
    subject.agent.call("empty")
    figures["enqueue in bulk /s"] = BULK / subject.agent.timed("fill", "noop", BULK)[0]
    subject.agent.call("empty")
    return {name: value for name, value in figures.items() if value is not None}


def rate(subject: Subject, method: str) -> float | None:
    """Tasks a second, of about a second's work; None if the peer has no such thing."""
    count = 50
    while True:
        try:
            took = subject.agent.timed(method, "noop", count)[0]
        except AgentError as error:
            if str(error).startswith("NotImplementedError"):
                return None
            raise
        if took > SECONDS / 3 or count >= MOST:
            return count / took
        count = min(MOST, int(count * min(10.0, SECONDS / max(took, 1e-3))) + 1)
