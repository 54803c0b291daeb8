"""Measures peers on one server, in turn; one that is broken is reported and left out."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.common import number
from benchmarks.driver.agents import Agent, AgentError
from benchmarks.driver.databases import Database
from benchmarks.driver.environments import environment, stage
from benchmarks.driver.processes import WorkerDied
from benchmarks.measures.every import MEASURES
from benchmarks.measures.subject import Subject
from benchmarks.peers.peer import adapter
from compat_matrix.matrix import Database as Server

OURS = "django_simple_queue_"


class Results:
    """Each value of each figure, by peer and configuration; and why a peer is not there."""

    def __init__(self) -> None:
        self.found: dict[str, dict[str, dict[str, list[float]]]] = {}
        self.failed: dict[str, list[str]] = {}

    def add(self, subject: Subject, figures: dict[str, float]) -> None:
        of_peer = self.found.setdefault(subject.peer.name, {}).setdefault(subject.configuration, {})
        for name, value in figures.items():
            of_peer.setdefault(name, []).append(value)

    def fail(self, who: str, error: BaseException) -> None:
        said = f"{type(error).__name__}: {error}"
        self.failed.setdefault(who, []).append(said[-600:])
        print(f"  {who} is left out: {said[-600:]}", flush=True)

    def as_dict(self) -> dict[str, Any]:
        return {"peers": self.found, "failed": self.failed}


def measure_on(
    server: Server, url: str, modules: list[str], measures: list[str], repeat: int, seconds: float
) -> dict[str, Any]:
    """Every value of each figure, and what could not be measured."""
    results, kind = Results(), server.kind
    wanted = [module for module in modules if kind in adapter(module).databases]
    with stage() as folder, ExitStack() as stack:
        subjects: list[Subject] = []
        for module in wanted:
            try:
                subjects += stack.enter_context(prepared(module, server, url, folder, seconds))
            except Exception as error:
                results.fail(adapter(module).name, error)
        for turn in range(repeat):
            for name in measures:
                for subject in subjects:
                    if wants(subject, name) and f"{subject}, {name}" not in results.failed:
                        one(results, subject, name, f"{turn + 1}/{repeat}")
    return results.as_dict() | {"measures": measures}


def measure_ours(server: Server, url: str, measure: Callable[[Subject], Any]) -> Any:
    """Something of our own queue alone."""
    with stage() as folder, prepared(OURS, server, url, folder, 0.0) as subjects:
        return measure(subjects[0])


def wants(subject: Subject, name: str) -> bool:
    """How tasks are added does not depend on what the workers are told."""
    last = list(subject.peer.configurations)[-1]
    return name in subject.peer.measures and (name != "enqueue" or subject.configuration == last)


@contextmanager
def prepared(module: str, server: Server, url: str, folder: Path, seconds: float) -> Iterator[list[Subject]]:
    """The peer in each of its configurations, in a database with its tables, which is dropped at the end."""
    peer = adapter(module)
    print(f"  {peer.name}: environment and tables", flush=True)
    place = environment(module, peer, folder, server.highest_django)
    database = Database(server.kind, url, f"bench_{module}")
    agent = Agent(module, database.url, place, folder)
    try:
        database.create()
        agent.call("prepare")
        agent.close()
        yield [
            Subject(module, peer, configuration, database, place, folder, agent, seconds)
            for configuration in peer.configurations
        ]
    finally:
        agent.close()
        database.drop()


def one(results: Results, subject: Subject, name: str, turn: str) -> None:
    began = time.monotonic()
    try:
        figures = MEASURES[name](subject)
    except Exception as error:
        results.fail(f"{subject}, {name}", error)
        if not isinstance(error, AgentError | WorkerDied | TimeoutError):
            traceback.print_exc(limit=-2)
        return
    finally:
        subject.agent.close()
    results.add(subject, figures)
    said = "; ".join(f"{figure} {number(value)}" for figure, value in figures.items())
    print(f"  {turn} {subject}: {said}  ({time.monotonic() - began:.0f} s)", flush=True)
