"""What one `task_worker` was asked to do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """The command's options for one database."""

    alias: str
    name: str
    processes: int = 1
    threads: int = 1
    queues: tuple[str, ...] = ()  # in this order; none: all
    burst: bool = False
    max_tasks: int | None = None  # by each runner, then it is replaced
    max_rss: int | None = None  # MB of a runner, likewise
    poll_interval: float | None = None  # seconds, instead of the adaptive pace
    strategy: str | None = None  # instead of the setting's
    shutdown_timeout: float = 8.0  # seconds; below Docker's 10
    verbosity: int = 1
