"""--reload: run the worker in a child process and start it again when the project's code changes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from django.apps import apps

from .process import stop_signals

LOOK_EVERY = 1.0  # seconds


def run_reloading() -> int:
    """Watch the files of the installed apps; the exit code of the last worker."""
    command = [sys.executable, *sys.orig_argv[1:]]
    command = [word for word in command if not (word.startswith("--r") and "--reload".startswith(word))]
    stopped: list[int] = []
    for number in stop_signals():
        signal.signal(number, lambda number, frame: stopped.append(number))
    while True:
        before = stamps()
        worker = subprocess.Popen(command, start_new_session=True)
        while worker.poll() is None and not stopped and stamps() == before:
            time.sleep(LOOK_EVERY)
        if worker.poll() is None:
            worker.send_signal(signal.SIGTERM)
        code = worker.wait()
        if stopped:
            return code
        while stamps() == before:  # it ended by itself, perhaps on a broken edit: wait for the next one
            time.sleep(LOOK_EVERY)
            if stopped:
                return code
        print("The project's code has changed: the worker starts again.", flush=True)


def stamps() -> dict[str, int]:
    """Modification time of each source file of the project's own apps."""
    return {str(path): path.stat().st_mtime_ns for path in sources() if path.exists()}


def sources() -> Iterator[Path]:
    for config in apps.get_app_configs():
        root = Path(config.path)
        if not {"site-packages", "dist-packages"} & set(root.parts):
            yield from root.rglob("*.py")
    if module := os.environ.get("DJANGO_SETTINGS_MODULE"):
        loaded = sys.modules.get(module)
        if loaded is not None and loaded.__file__:
            yield Path(loaded.__file__)
