"""A workload is played: enqueued, run by real workers, disturbed, and drained."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from django_simple_queue import cancel_task, create_task, create_tasks
from django_simple_queue.models import Task, Worker
from django_simple_queue.states import ENDS, UNFINISHED
from tests.worker.stage import Process, Stage, alive, eventually

from .plan import Crew, Fault, Group, Workload
from .runs import Evidence

SHORT, LONG = 0.4, 4.5  # seconds of a suspension; the lease is 3


@dataclass
class Life:
    """One start of a crew's worker, and what was done to it."""

    crew: Crew
    name: str
    process: Process
    runners_killed: int = 0
    killed: bool = False
    held: frozenset[int] = frozenset()  # tasks that it held when it was killed whole
    cut_off: tuple[int, int] | None = None  # from, until: suspended for longer than a lease
    code: int | None = None


@dataclass
class Given:
    """A task as it was enqueued. What joined it by its unique key has its id and no number of its own."""

    number: int
    group: Group
    id: UUID
    sent: int
    answered: int
    cancelled: bool | None = None  # cancel_task's answer
    unstarted: bool = False  # there was no worker yet when it was cancelled
    wrongly_refused: bool = False


@dataclass
class Play:
    """One workload on one stage."""

    workload: Workload
    stage: Stage
    patience: float = 60.0  # seconds until what has not ended is lost
    given: dict[int, Given] = field(default_factory=dict)
    numbers: dict[UUID, int] = field(default_factory=dict)
    ids: dict[int, UUID] = field(default_factory=dict)  # of those that joined another, too
    lives: list[Life] = field(default_factory=list)
    deaths: dict[int, int] = field(default_factory=dict)  # process: not later than this it did its last work
    drained: bool = False
    workers_left: list[str] = field(default_factory=list)

    def run(self) -> None:
        self.evidence = Evidence(self.stage.evidence)
        self.end = time.monotonic() + self.patience
        self.enqueue_first()
        self.working = [self.start(crew, f"w{place}") for place, crew in enumerate(self.workload.crews)]
        for life in self.working:
            self.await_hello(life)
        for at, act in sorted(self.events(), key=lambda event: event[0]):
            self.await_starts(at)
            act()
        if self.workload.burst:
            self.stop(self.working)
            self.run_bursts()
        else:
            self.drained = self.wait_for(self.finished) and self.wait_for(self.no_dead_rows)
            self.stop(self.working)
        self.workers_left = list(Worker.objects.values_list("name", flat=True))

    # -- enqueueing and cancelling -------------------------------------------------------------------------------

    def enqueue_first(self) -> None:
        first = [(number, group) for number, group, _ in self.workload.tasks() if not group.at]
        sent = time.monotonic_ns()
        ids = create_tasks([group.spec(number) for number, group in first])
        for (number, group), key in zip(first, ids, strict=True):
            self.remember(number, group, key, sent)
        for number, group, cancelled in self.workload.tasks():
            if cancelled and group.cancelled_at == group.at == 0:
                self.cancel(number, unstarted=True)

    def remember(self, number: int, group: Group, key: UUID, sent: int) -> None:
        self.ids[number] = key
        if self.numbers.setdefault(key, number) == number:
            self.given[number] = Given(number, group, key, sent, time.monotonic_ns())

    def events(self) -> list[tuple[int, Callable[[], None]]]:
        found: list[tuple[int, Callable[[], None]]] = []
        for number, group, cancelled in self.workload.tasks():
            if group.at:
                found.append((group.at, lambda number=number, group=group: self.enqueue(number, group)))  # type: ignore[misc]
            if cancelled and (at := max(group.at, group.cancelled_at or 0)):
                found.append((at, lambda number=number: self.cancel(number)))  # type: ignore[misc]
        found += [(fault.at, lambda fault=fault: self.disturb(fault)) for fault in self.workload.faults]  # type: ignore[misc]
        return found

    def enqueue(self, number: int, group: Group) -> None:
        sent = time.monotonic_ns()
        self.remember(number, group, create_task(**group.spec(number)), sent)

    def cancel(self, number: int, unstarted: bool = False) -> None:
        key = self.ids[number]
        task = self.given[self.numbers[key]]
        answer = cancel_task(key)
        if not answer and Task.objects.get(pk=key).status not in ENDS:
            task.wrongly_refused = True
        task.unstarted = task.unstarted or unstarted
        task.cancelled = task.cancelled or answer

    # -- workers and faults --------------------------------------------------------------------------------------

    def start(self, crew: Crew, name: str, *more: str) -> Life:
        name = f"{name}.{sum(life.name.startswith(name) for life in self.lives)}"
        life = Life(crew, name, self.stage.worker(*crew.options(name), *more))
        self.lives.append(life)
        return life

    def await_hello(self, life: Life) -> None:
        process = life.process
        eventually(lambda: "Worker " in process.said or process.popen.poll() is not None, "the worker's hello")
        assert process.popen.poll() is None, process.said

    def disturb(self, fault: Fault) -> None:
        life = self.working[fault.crew]
        self.await_hello(life)
        time.sleep(fault.ms / 1000)
        {
            "kill runner": self.kill_runner,
            "kill worker": self.kill_worker,
            "kill supervisor": self.kill_worker,
            "kill keeper": self.kill_keeper,
            "suspend": self.suspend,
            "suspend long": self.suspend,
            "stop": self.stop_one,
        }[fault.what](life, fault)
        if life.process.popen.poll() is not None:
            self.working[fault.crew] = self.start(life.crew, f"w{fault.crew}")

    def kill_runner(self, life: Life, fault: Fault) -> None:
        if runners := life.process.runners:
            pid = runners[fault.at % len(runners)]
            life.runners_killed += 1
            self.die([pid])

    def kill_keeper(self, life: Life, fault: Fault) -> None:
        self.die(life.process.named("dsq keeper"))

    def kill_worker(self, life: Life, fault: Fault) -> None:
        process = life.process
        os.kill(process.pid, signal.SIGSTOP)  # so that it replaces nobody meanwhile
        eventually(lambda: state(process.pid) == "T", "a stopped supervisor")
        family = process.descendants()
        life.killed = True
        if fault.what == "kill supervisor":
            for pid in family:
                self.deaths[pid] = time.monotonic_ns()
            self.die([process.pid])
        else:
            self.die([process.pid, *family])
        process.popen.wait()
        eventually(lambda: not any(alive(pid) for pid in family), "the end of a tree")
        time.sleep(0.1)  # what was under way to the database has arrived
        held = Task.objects.filter(worker=life.name, holder__isnull=False).values_list("pk", flat=True)
        life.held = frozenset(self.numbers[key] for key in held)

    def die(self, pids: list[int]) -> None:
        for pid in pids:
            self.deaths[pid] = time.monotonic_ns()  # before: a rescue may follow at once
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def suspend(self, life: Life, fault: Fault) -> None:
        is_long, since = fault.what == "suspend long", time.monotonic_ns()
        life.process.signal_tree(signal.SIGSTOP)
        time.sleep(LONG if is_long else SHORT)
        life.process.signal_tree(signal.SIGCONT, children_first=True)
        if is_long:
            since = life.cut_off[0] if life.cut_off else since
            life.cut_off = since, time.monotonic_ns() + 500_000_000

    def stop_one(self, life: Life, fault: Fault) -> None:
        self.stop([life])

    def stop(self, lives: list[Life]) -> None:
        for life in lives:
            self.await_hello(life)  # before it there is nobody to obey
            life.process.popen.terminate()
        for life in lives:
            life.code = life.process.wait()

    # -- waiting -------------------------------------------------------------------------------------------------

    def await_starts(self, count: int) -> None:
        """Until there were so many, or nothing is left to start."""
        look_at = 0.0
        while self.evidence.starts() < count and time.monotonic() < self.end:
            if time.monotonic() > look_at:
                if self.finished():
                    return
                look_at = time.monotonic() + 0.1
            time.sleep(0.002)

    def finished(self) -> bool:
        unfinished = Task.objects.filter(status__in=UNFINISHED, queue__in=self.workload.served)
        return not (unfinished | Task.objects.filter(holder__isnull=False)).exists()

    def no_dead_rows(self) -> bool:
        return set(Worker.objects.values_list("name", flat=True)) <= {life.name for life in self.working}

    def wait_for(self, condition: Callable[[], bool]) -> bool:
        while not condition():
            if time.monotonic() > self.end:
                return False
            time.sleep(0.05)
        return True

    def run_bursts(self) -> None:
        """One after the other: what waits for a retry, or for somebody to be known as dead, is left to the next."""
        served = tuple(sorted(self.workload.served))
        last = self.workload.crews[0] if self.workload.in_order else Crew(processes=2, queues=served)
        while not self.drained and time.monotonic() < self.end:
            life = self.start(last, "last", "--burst")
            life.code = life.process.wait(self.patience)
            self.drained = self.finished()


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
