"""Forking children that obey the supervisor alone and end with it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable

PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15
# The supervisor decides what a signal to the whole group means.
STOP_SOON, STOP_NOW = signal.SIGUSR1, signal.SIGUSR2  # from a fleet to its supervisors
RELAYED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, STOP_SOON, STOP_NOW)


def stop_signals() -> list[signal.Signals]:
    """What asks a worker to stop: a closed terminal too, unless it was started with nohup."""
    hangup = [] if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else [signal.SIGHUP]
    return [signal.SIGTERM, signal.SIGINT, *hangup]


def spawn(work: Callable[[], int], name: str) -> int:
    """Fork a child that does `work` and exits with what it returns; its PID. No exit handler runs in it."""
    parent = os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    signal.pthread_sigmask(signal.SIG_BLOCK, RELAYED)
    pid = os.fork()
    if pid:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, RELAYED)
        return pid
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number in RELAYED:
            # A handler that does nothing, not SIG_IGN: what a task execs must get the default back.
            signal.signal(number, _nothing)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, RELAYED)
        _die_with(parent, name)
        code = work()
    except BaseException:  # nothing above may see it: this is a fork of the command
        sys.excepthook(*sys.exc_info())
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)


def _nothing(number: int, frame: object) -> None:
    pass


def _die_with(parent: int, name: str) -> None:
    """End when the parent does, however it does, also while user code runs."""
    if sys.platform.startswith("linux"):
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        libc.prctl(PR_SET_NAME, f"dsq {name}".encode()[:15])  # what `ps -o comm` and `top` show
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:
        os._exit(1)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def rss_mb() -> float:
    """Resident memory of this process in MB; 0 where it cannot be read."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20
    except (OSError, ValueError):
        return 0.0


def how_it_died(status: int) -> str:
    """A wait status in words."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        try:
            return f"was killed by {signal.Signals(number).name}"
        except ValueError:
            return f"was killed by signal {number}"
    return f"exited with code {os.waitstatus_to_exitcode(status)}"
