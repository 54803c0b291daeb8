"""Starts workers, ends them, and says what they take of the machine."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

STOP_SECONDS = 15


class WorkerDied(Exception):
    """A worker process ended by itself; the end of what it wrote to stderr."""


class Workers:
    """Worker processes that run, with all of their children."""

    def __init__(self, processes: list[subprocess.Popen[bytes]], log: Path) -> None:
        self.processes = processes
        self.log = log

    def check(self) -> None:
        for process in self.processes:
            if process.poll() is not None:
                said = self.log.read_text(encoding="utf-8", errors="replace").strip()[-1500:]
                raise WorkerDied(f"a worker ended with {process.returncode}: {said or 'it said nothing'}")

    def cpu_seconds(self) -> float:
        return sum(cpu_seconds(process.pid) for process in self.processes)

    def pss_mib(self) -> float:
        """What the tree has in memory; what several map counts in part."""
        return sum(pss(one) for process in self.processes for one in tree(process.pid)) / 2**20


@contextmanager
def running(commands: Iterable[list[str]], variables: Mapping[str, str], folder: Path) -> Iterator[Workers]:
    """Start these commands; end them at the end, with whatever they started."""
    with tempfile.TemporaryDirectory(prefix="dsq-bench-log-") as place:
        log = Path(place) / "stderr"
        processes: list[subprocess.Popen[bytes]] = []
        with log.open("ab") as file:
            try:
                for command in commands:
                    processes.append(
                        subprocess.Popen(
                            command,
                            cwd=folder,
                            env=dict(variables),
                            stdin=subprocess.DEVNULL,
                            stdout=file,
                            stderr=file,
                            start_new_session=True,
                        )
                    )
                yield Workers(processes, log)
            finally:
                stop(processes)


def stop(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.send_signal(signal.SIGTERM)
    end = time.monotonic() + STOP_SECONDS
    for process in processes:
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, end - time.monotonic()))
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def tree(pid: int) -> list[psutil.Process]:
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def cpu_seconds(pid: int, *, without: Iterable[int] = ()) -> float:
    """Of a process, its children and those that it has outlived."""
    total = 0.0
    for one in tree(pid):
        with suppress(psutil.NoSuchProcess):
            if one.pid not in without:
                times = one.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
    return total


def pss(process: psutil.Process) -> int:
    try:
        memory = process.memory_full_info()
    except psutil.Error:
        return 0
    return int(getattr(memory, "pss", memory.uss))


def listening_on(port: int) -> int | None:
    """The process that does, if this machine says."""
    try:
        for connection in psutil.net_connections(kind="tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return int(connection.pid)
    except psutil.AccessDenied:
        pass
    return None
