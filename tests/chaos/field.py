"""Where the chaos happens: a database, workers behind proxies, a producer, and the evidence."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from .proxy import Proxy

ROOT = Path(__file__).parents[2]
WORKERS = [["--processes", "2"], ["--processes", "2"], ["--threads", "3"]]


class Worker:
    """One `task_worker`, started again whenever it was killed whole."""

    def __init__(self, number: int, environment: dict[str, str], proxy: Proxy | None, log: Path) -> None:
        self.number, self.environment, self.proxy, self.log = number, environment, proxy, log
        self.start()

    def start(self) -> None:
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "django", "task_worker", *WORKERS[self.number]],
                env=self.environment,
                cwd=ROOT,
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def tree(self) -> list[int]:
        """PIDs of the supervisor, then its children."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        try:
            return [self.process.pid, *map(int, children.read_text().split())]
        except OSError:
            return []

    def keeper(self) -> list[int]:
        return [pid for pid in self.tree() if name_of(pid) == "dsq keeper"]

    def runners(self) -> list[int]:
        return [pid for pid in self.tree() if name_of(pid) == "dsq runner"]

    def dead(self) -> bool:
        return self.process.poll() is not None


def name_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


class Field:
    """`lease`: seconds, of the workers and for the faults. The tables are there already."""

    def __init__(self, database: dict[str, Any], seed: int, folder: Path, lease: float = 4.0) -> None:
        self.seed, self.random = seed, random.Random(seed)
        self.folder, self.database, self.lease = folder, database, lease
        self.evidence, self.history = folder / "evidence", folder / "history"
        self.workers: list[Worker] = []

    @property
    def direct(self) -> dict[str, str]:
        """The environment of a process beside the workers."""
        return self.environment(self.database)

    def start(self) -> None:
        """Start the workers, each behind a proxy of its own where there is a server."""
        database = self.database
        for number in range(len(WORKERS)):
            proxy, behind = None, database
            if database.get("PORT"):
                proxy = Proxy(database["HOST"], int(database["PORT"]))
                behind = database | {"HOST": "127.0.0.1", "PORT": proxy.port}
            log = self.folder / f"worker{number}.log"
            self.workers.append(Worker(number, self.environment(behind), proxy, log))

    def environment(self, database: dict[str, Any]) -> dict[str, str]:
        return os.environ | {
            "DJANGO_SETTINGS_MODULE": "tests.chaos.settings",
            "DSQ_TEST_DATABASES_JSON": json.dumps({"default": database}),
            "DSQ_EVIDENCE": str(self.evidence),
            "DSQ_HISTORY": str(self.history),
            "DSQ_CHAOS_LEASE": str(self.lease),
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
        }

    def events(self) -> list[tuple[str, str, int, float]]:
        """(key, event, pid, time) in the order in which they were written."""
        if not self.evidence.exists():
            return []
        lines = (line.split() for line in self.evidence.read_text().splitlines())
        return [(key, event, int(pid), float(when)) for key, event, pid, when in lines]

    def stop(self) -> None:
        for worker in self.workers:
            for pid in worker.tree():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
            if not worker.dead():
                worker.process.send_signal(signal.SIGTERM)
        for worker in self.workers:
            try:
                worker.process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(worker.process.pid, signal.SIGKILL)
                worker.process.wait()
            if worker.proxy is not None:
                worker.proxy.close()

    def revive(self) -> None:
        """Start the workers that are gone; no process of the dead ones may be left for long."""
        for worker in self.workers:
            if worker.dead():
                worker.start()

    def pause(self, least: float, most: float) -> None:
        time.sleep(self.random.uniform(least, most))
