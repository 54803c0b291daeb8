"""Packets of a worker's keeper that nobody answers, while its runners still reach the database."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from django_simple_queue.models import Worker
from tests.chaos.proxy import Proxy
from tests.worker.stage import Process, Stage, create, eventually, row

from .ground import Ground, on_database
from .judge import await_all


class KeeperProxy(Proxy):
    """Swallows what comes from a worker's keeper and from nobody else."""

    worker: Process | None = None

    def _forward(self, one: socket.socket) -> None:
        if self.worker is not None and self._is_keepers(one):
            if not one.recv(65536):
                self._close(one)
        else:
            super()._forward(one)

    def _is_keepers(self, one: socket.socket) -> bool:
        """By the port that it comes from; what the server sends to it is let through."""
        assert self.worker is not None
        try:
            ports = one.getpeername()[1], one.getsockname()[1]
        except OSError:
            return False
        return ports[1] == self.port and ports[0] in {
            port for pid in self.worker.named("dsq keeper") for port in ports_of(pid)
        }


def ports_of(pid: int) -> set[int]:
    """The local ports of a process's TCP connections."""
    try:
        files = {os.readlink(path) for path in Path(f"/proc/{pid}/fd").iterdir()}
    except OSError:
        return set()
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {int(words[1].rpartition(":")[2], 16) for words in lines if f"socket:[{words[9]}]" in files}


def test_a_worker_whose_keeper_is_cut_off_starts_nothing_and_changes_nothing(ground: Ground, stage: Stage) -> None:
    """Its runners could still claim and finish: they may not, since another worker has taken over."""
    proxy, behind = ground.behind_proxy(KeeperProxy)
    north = stage.ready("--processes", "2", "--name", "north", **on_database(behind))
    taken_over = [create("wait_for", {"name": name}) for name in ("first", "second")]
    stage.await_starts(2)
    (before,) = Worker.objects.values_list("id", flat=True)
    south = stage.ready("--processes", "2", "--name", "south")
    proxy.worker = north
    stage.await_starts(3)  # south runs one of them again, the other one after it: both have a loss
    others = [create("run", {"seconds": 0.1}) for _ in range(20)]
    stage.let("second")  # a runner of north is free now, and there is work
    await_all(others)
    ours = {str(task.pk) for task in others}
    assert {pid for pid, task, _ in stage.notes("start") if task in ours} <= set(south.descendants())

    stage.let("first")
    await_all(taken_over)
    eventually(lambda: len(stage.notes("end")) == 24, "two ends of each that was taken over")
    proxy.worker = None
    proxy.cut()  # what was swallowed does not come back
    eventually(lambda: "goes on under a new id" in north.said, "north's word")
    eventually(lambda: north.said.count("its claim was lost") == 2, "north's word about the results")
    for task in taken_over:
        assert (row(task).worker, row(task).losses) == ("south", 1)
    eventually(lambda: Worker.objects.filter(name="north", state=Worker.ALIVE).exclude(id=before).exists())

    assert south.stop() == 0
    last = create("run")
    await_all([last])
    assert row(last).worker == "north"
    assert north.stop() == 0
    assert not north.crashes, north.said
    assert stage.starts()[str(last.pk)] == 1
    assert all(stage.starts()[str(task.pk)] == 1 for task in others)
