"""What goes wrong. Each fault says which processes it killed or cut off, and from when to when."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from compat_matrix.processes import ServerProcess

from .field import Field, Worker


@dataclass
class Record:
    """Everything that was done, for the judges."""

    kinds: dict[str, int] = field(default_factory=dict)
    deaths: dict[int, float] = field(default_factory=dict)  # pid: when at the latest it did its last work
    runners_killed: int = 0
    workers_killed: int = 0
    # Cut off for longer than a lease: what ran there then may have run elsewhere too, and recorded nothing.
    cut_off: dict[int, list[tuple[float, float]]] = field(default_factory=dict)

    def died(self, pids: Iterable[int]) -> None:
        """Called before the kill: a rescue may follow at once."""
        for pid in pids:
            self.deaths.setdefault(pid, time.time())


class Faults:
    def __init__(self, where: Field, server: ServerProcess | None) -> None:
        self.field, self.server, self.record = where, server, Record()
        self.lease = where.lease
        self.bag: list[tuple[str, Callable[[Worker], None]]] = []
        self.choices: list[tuple[str, Callable[[Worker], None]]] = [
            ("runner killed", self.kill_runner),
            ("keeper killed", self.kill_keeper),
            ("supervisor killed", self.kill_supervisor),
            ("worker killed", self.kill_worker),
            ("worker suspended for a moment", lambda worker: self._suspend(worker.tree(), self.lease / 4)),
            ("worker suspended past its lease", lambda worker: self._suspend(worker.tree(), 2 * self.lease)),
            ("keeper suspended", self.suspend_keeper),
            ("runner suspended", self.suspend_runner),
            ("worker stopped", self.stop_worker),
            ("all workers killed", self.kill_all),
            ("all workers suspended", self.suspend_all),
        ]
        if where.database.get("PORT"):
            self.choices += [("connections cut", self.cut), ("packets swallowed", self.swallow)]
        if server is not None:
            self.choices += [("server restarted", self.restart), ("server killed", self.kill_server)]

    def one(self) -> str:
        """Each kind once, before any comes again."""
        if not self.bag:
            self.bag = self.field.random.sample(self.choices, len(self.choices))
        name, fault = self.bag.pop()
        worker = self.field.random.choice(self.field.workers)
        if not worker.dead():
            self.record.kinds[name] = self.record.kinds.get(name, 0) + 1
            with contextlib.suppress(ProcessLookupError):
                fault(worker)
        self.field.revive()
        return name

    def kill_runner(self, worker: Worker) -> None:
        if runners := worker.runners():
            pid = self.field.random.choice(runners)
            self.record.runners_killed += 1
            self.record.died([pid])
            os.kill(pid, signal.SIGKILL)

    def kill_keeper(self, worker: Worker) -> None:
        for pid in worker.keeper():
            os.kill(pid, signal.SIGKILL)

    def kill_supervisor(self, worker: Worker) -> None:
        self.record.workers_killed += 1
        self.record.died(worker.tree())
        worker.process.kill()
        worker.process.wait()

    def kill_worker(self, worker: Worker) -> None:
        self.record.workers_killed += 1
        pids = worker.tree()
        self.record.died(pids)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        worker.process.wait()

    def kill_all(self, worker: Worker) -> None:
        """As when the machine's power fails."""
        for each in self.field.workers:
            if not each.dead():
                self.kill_worker(each)

    def suspend_all(self, worker: Worker) -> None:
        """As a laptop that sleeps: nobody is dead afterwards."""
        self._suspend([pid for each in self.field.workers for pid in each.tree()], 1.5 * self.lease)

    def suspend_keeper(self, worker: Worker) -> None:
        self._suspend(worker.keeper(), self.field.random.choice([0.5, self.lease]), cut_off=worker.tree())

    def suspend_runner(self, worker: Worker) -> None:
        if runners := worker.runners():
            # Longer than a lease its supervisor kills it.
            self.record.runners_killed += 1
            self._suspend([self.field.random.choice(runners)], self.field.random.choice([1.0, 2 * self.lease]))

    def _suspend(self, pids: list[int], seconds: float, cut_off: list[int] | None = None) -> None:
        began = time.time()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        time.sleep(seconds)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        if seconds >= self.lease / 2:
            self._cut_off(cut_off or pids, began)

    def _cut_off(self, pids: list[int], began: float) -> None:
        for pid in pids:
            self.record.cut_off.setdefault(pid, []).append((began, time.time() + 1.0))
            self.record.deaths.setdefault(pid, time.time() + 1.0)

    def stop_worker(self, worker: Worker) -> None:
        """As a deployment does."""
        pids = worker.tree()
        worker.process.send_signal(signal.SIGTERM)
        worker.process.wait(30)
        self.record.died(pids)

    def cut(self, worker: Worker) -> None:
        assert worker.proxy is not None
        worker.proxy.cut()

    def swallow(self, worker: Worker) -> None:
        assert worker.proxy is not None
        began = time.time()
        worker.proxy.swallow = True
        time.sleep(self.field.random.choice([0.5, 2.5 * self.lease]))
        pids = worker.tree()
        worker.proxy.swallow = False
        worker.proxy.cut()  # what was swallowed does not come back
        self._cut_off(pids, began)

    def restart(self, worker: Worker) -> None:
        assert self.server is not None
        self.server.stop()
        self.field.pause(0.1, 3 * self.lease)
        self.server.start()

    def kill_server(self, worker: Worker) -> None:
        assert self.server is not None
        self.server.kill()
        self.field.pause(0.1, 2.0)
        self.server.start()
