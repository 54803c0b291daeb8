"""Server processes end with whoever wanted them; `sleep` stands for the server here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from compat_matrix import processes
from compat_matrix.errors import ServerError
from compat_matrix.processes import free_port, running, throw_away_folder, unprivileged

SLEEP = "/bin/sleep"
KILLED_PARENT = """
import signal, sys, time
from pathlib import Path
from compat_matrix.processes import running
with running(["/bin/sleep", "1000"], ready=lambda: True, stop=signal.SIGTERM, log=Path(sys.argv[1])):
    print("started", flush=True)
    time.sleep(1000)
"""


def children(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def wait_until_gone(pid: int) -> bool:
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def test_a_server_is_stopped_at_the_end_and_on_errors(tmp_path: Path) -> None:
    stopped = []

    def fail_while_it_runs() -> None:
        with running([SLEEP, "1000"], ready=lambda: True, stop=signal.SIGTERM, log=tmp_path / "log"):
            stopped.extend(pid for pid in children(os.getpid()) if "sleep" in command(pid))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_while_it_runs()
    [child] = stopped
    assert wait_until_gone(child)


def command(pid: int) -> str:
    before = Path("/proc/self/cmdline").read_text(encoding="utf-8")
    for _ in range(500):  # a fork of this process and setpriv first
        text = Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8")
        if text != before and not text.partition("\0")[0].endswith("setpriv"):
            return text
        time.sleep(0.02)
    return ""


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_a_server_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", KILLED_PARENT, str(tmp_path / "log")],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"started\n"
    [child] = children(parent.pid)
    assert "sleep" in command(child)
    parent.kill()
    parent.communicate()
    assert wait_until_gone(child)


def test_a_server_that_ends_at_once_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    failing = ["/bin/sh", "-c", "echo no space left; exit 3"]
    server = running(failing, ready=lambda: False, stop=signal.SIGTERM, log=tmp_path / "log")
    with pytest.raises(ServerError, match="/bin/sh ended with 3: no space left"), server:
        pass


def test_a_server_that_never_is_ready_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(processes, "START_SECONDS", 0.2)
    server = running([SLEEP, "1000"], ready=lambda: False, stop=signal.SIGTERM, log=tmp_path / "log")
    with pytest.raises(ServerError, match="was not ready after"), server:
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root must change its user")
def test_root_runs_servers_as_nobody() -> None:
    assert processes.run(["/usr/bin/id", "-un"]).strip() == "nobody"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root must change its user")
def test_a_program_that_nobody_can_reach_is_refused_with_the_way_out(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with pytest.raises(ServerError, match="set DSQ_CACHE to a folder that every user may read"):
        unprivileged([tmp_path / "server"], when_parent_dies=signal.SIGTERM)


def test_folders_go_away_those_of_killed_processes_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    abandoned = tmp_path / f"{processes.FOLDER_PREFIX}old"
    abandoned.mkdir()
    os.utime(abandoned, (1, 1))
    with throw_away_folder("x") as data:
        assert not abandoned.exists()
        os.utime(data.parent, (1, 1))
        with throw_away_folder("y"):
            assert data.exists()  # its owner lives
    assert list(tmp_path.iterdir()) == []


def test_free_port() -> None:
    assert 1024 < free_port() < 65536
