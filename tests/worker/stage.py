"""Real `task_worker` commands on the test's database, and what they leave behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from django.db import connection

from django_simple_queue import create_task
from django_simple_queue.models import Task

T = TypeVar("T")
# Before a traceback that was meant to be told.
TOLD = ("Task ", "Receiver ", "Error calling ", "During handling of", "The above exception")
PATIENCE = 30.0  # seconds after which what was waited for is missing; nothing takes nearly as long


def eventually(look: Callable[[], T], what: str = "", seconds: float = PATIENCE, pause: float = 0.02) -> T:
    """Ask again and again until the answer is true; the answer."""
    end = time.monotonic() + seconds
    while True:
        answer = look()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds:g} s for {what or look}; got {answer!r}")
        time.sleep(pause)


class Process:
    """One command, its tree and its output."""

    def __init__(
        self, arguments: Sequence[str], environment: dict[str, str], output: Path, launcher: Sequence[str] = ()
    ) -> None:
        self.output = output
        with output.open("wb") as file:
            self.popen = subprocess.Popen(
                [*launcher, sys.executable, "-m", "django", *arguments],
                env=environment,
                stdout=file,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def said(self) -> str:
        return self.output.read_text(errors="replace")

    @property
    def crashes(self) -> list[str]:
        """What stands before each traceback that is not a task's."""
        said = [line for line in self.said.splitlines() if line]
        before = [said[i - 1] if i else "" for i, line in enumerate(said) if line.startswith("Traceback (")]
        return [line or "(first line)" for line in before if not line.startswith(TOLD)]

    def wait(self, seconds: float = PATIENCE) -> int:
        """The exit code."""
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {seconds:g} s; it said:\n{self.said}") from None

    def stop(self, number: int = signal.SIGTERM, seconds: float = PATIENCE) -> int:
        self.popen.send_signal(number)
        return self.wait(seconds)

    def signal_group(self, number: int) -> None:
        os.killpg(self.pid, number)

    def signal_tree(self, number: int, *, children_first: bool = False) -> None:
        pids = [self.pid, *self.descendants()]
        for pid in reversed(pids) if children_first else pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def descendants(self) -> list[int]:
        found, look = [], [self.pid]
        while look:
            children = children_of(look.pop())
            found += children
            look += children
        return found

    def named(self, name: str) -> list[int]:
        """Which of the tree's processes `ps` shows under this name."""
        return [pid for pid in self.descendants() if comm(pid) == name]

    @property
    def keeper(self) -> int:
        return eventually(lambda: self.named("dsq keeper"), "a keeper")[0]

    @property
    def runners(self) -> list[int]:
        return self.named("dsq runner")

    @property
    def runner(self) -> int:
        return eventually(lambda: self.runners, "a runner")[0]

    def kill(self) -> None:
        """Whatever state it is in."""
        pids = [self.pid, *self.descendants()]
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.popen.wait()
        eventually(lambda: not any(alive(pid) for pid in pids), "the end of a tree")


class Stage:
    """Starts workers for one test and reads what they left."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self.folder = folder
        self.evidence = folder / "evidence"
        self.evidence.mkdir()
        self.environment = environment | {
            "DJANGO_SETTINGS_MODULE": "tests.worker.settings",
            "DSQ_EVIDENCE": str(self.evidence),
        }
        self.processes: list[Process] = []

    def worker(self, *options: str, **given: Any) -> Process:
        return self.command("task_worker", *options, **given)

    def command(
        self,
        *arguments: str,
        settings: dict[str, Any] | None = None,
        launcher: Sequence[str] = (),
        **environment: str,
    ) -> Process:
        """`launcher`: words before the interpreter. Other keywords are environment variables."""
        given = self.environment | {"DSQ_WORKER_SETTINGS": json.dumps(named(settings or {}))} | environment
        process = Process(arguments, given, self.folder / f"output-{len(self.processes)}", launcher)
        self.processes.append(process)
        return process

    def burst(self, *options: str, code: int = 0, settings: dict[str, Any] | None = None, **environment: str) -> str:
        """Run what there is; what the worker said."""
        process = self.worker("--burst", *options, settings=settings, **environment)
        assert process.wait(60) == code, process.said
        assert not process.crashes, process.said
        return process.said

    def ready(self, *options: str, settings: dict[str, Any] | None = None, **environment: str) -> Process:
        """A worker that has introduced itself."""
        process = self.worker(*options, settings=settings, **environment)
        eventually(lambda: "Worker " in process.said or process.popen.poll() is not None, "the worker's hello")
        assert process.popen.poll() is None, process.said
        return process

    # -- evidence ------------------------------------------------------------------------------------------------

    def notes(self, what: str) -> list[tuple[int, str, str]]:
        """(process, task, detail) of each note of this kind, in order."""
        path = self.evidence / "runs"
        if not path.exists():
            return []
        found = [line.split(" ", 3) for line in path.read_text().splitlines()]
        return [(int(pid), task, detail) for kind, pid, task, detail in found if kind == what]

    def starts(self) -> Counter[str]:
        """How often each task was started."""
        return Counter(task for _, task, _ in self.notes("start"))

    def await_starts(self, count: int) -> None:
        eventually(lambda: len(self.notes("start")) >= count, f"{count} starts")

    def let(self, name: str) -> None:
        """Let tasks go on that wait for this file."""
        (self.evidence / name).touch()

    def close(self) -> None:
        for process in self.processes:
            process.kill()


def named(settings: dict[str, Any]) -> dict[str, Any]:
    """Lower-case names are the queue's own settings."""
    return {f"DJANGO_SIMPLE_QUEUE_{name.upper()}" if name.islower() else name: v for name, v in settings.items()}


def create(name: str, args: dict[str, Any] | None = None, **options: Any) -> Task:
    """Enqueue a callable of tests.jobs; its row."""
    key = create_task(name if "." in name else f"tests.jobs.evidence.{name}", args or {}, **options)
    return Task.objects.get(pk=key)


def row(task: Task) -> Task:
    return Task.objects.get(pk=task.pk)


def await_status(task: Task, status: int, seconds: float = PATIENCE) -> Task:
    def look() -> Task | None:
        found = row(task)
        return found if found.status == status and found.holder is None else None

    try:
        return eventually(look, seconds=seconds)
    except AssertionError:
        found = row(task)
        raise AssertionError(
            f"{found.task}: status {found.status}, holder {found.holder}, losses {found.losses}, error {found.error}"
        ) from None


def nothing_held() -> bool:
    return not Task.objects.filter(holder__isnull=False).exists()


def children_of(pid: int) -> list[int]:
    found = []
    with suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with suppress(OSError):
                found += [int(n) for n in Path(f"/proc/{pid}/task/{thread}/children").read_text().split()]
    return found


def comm(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def alive(pid: int) -> bool:
    """Whether a process runs: a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def connections_of_others() -> Iterator[int]:
    """The server's sessions on this database but our own; none on a database without a server."""
    statements = {
        "postgresql": "SELECT pid FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'",
        "mysql": "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()",
    }
    if sql := statements.get(connection.vendor):
        with connection.cursor() as cursor:
            cursor.execute(sql)
            yield from [key for (key,) in cursor.fetchall()]
