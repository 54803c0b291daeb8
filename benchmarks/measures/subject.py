"""What is measured: one peer in one configuration on one database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.driver.agents import Agent
from benchmarks.driver.databases import Database
from benchmarks.driver.environments import Environment
from benchmarks.driver.processes import Workers, running
from benchmarks.peers.peer import Peer

# Figures by name, each measured once.
Figures = dict[str, float]


@dataclass(slots=True)
class Subject:
    module: str
    peer: type[Peer]
    configuration: str
    database: Database
    environment: Environment
    stage: Path
    agent: Agent
    seconds: float  # what a backlog should be worked off in
    # How many tasks that are, found out by the first runs of each kind.
    sizes: dict[Any, int] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.peer.name}, {self.configuration}"

    def left(self) -> str:
        sql: str = self.agent.call("left")
        return sql

    @contextmanager
    def workers(self, commands: list[list[str]], **more: str) -> Iterator[Workers]:
        variables = self.environment.variables | self.peer.environment | more
        with running(commands, variables, self.stage) as workers:
            yield workers


def commands(subject: Subject, method: str, number: int) -> list[list[str]]:
    found: list[list[str]] = subject.agent.call(method, subject.configuration, number)
    return found
