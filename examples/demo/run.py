"""The demo: one task for each source file of Python's standard library, worked off by two processes.

Exits with 1 if anything went otherwise than it should.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import django
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
django.setup()

from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402
from words import tasks  # noqa: E402

from django_simple_queue import create_task, create_tasks  # noqa: E402
from django_simple_queue.models import Attempt, Task  # noqa: E402

HERE = Path(__file__).parent
WORKER = [sys.executable, str(HERE / "manage.py"), "task_worker", "--processes", "2", "--burst"]
NOT_OURS = {"test", "tests", "idle_test", "site-packages", "dist-packages"}
STARTED, GIVE_UP_AFTER = time.monotonic(), 300  # seconds
console = Console(highlight=False)


def main() -> None:
    make_database()
    flaky, hopeless, count = enqueue()
    with progress(count) as show:
        while finished() < count:
            # A burst ends once nothing is runnable now. A retry that is not due yet is left to the next one.
            work(show)
        show(count)
    show_sources()
    show_failures()
    show_rate()
    check(flaky, hopeless)


def make_database() -> None:
    database = settings.DATABASES["default"]["NAME"]
    for name in (database, f"{database}-wal", f"{database}-shm"):
        Path(name).unlink(missing_ok=True)
    call_command("migrate", verbosity=0)
    console.print(f"Database: {database}")


def enqueue() -> tuple[UUID, UUID, int]:
    """All the tasks; the ids of the one that is retried and the one that fails, and how many there are."""
    flaky = create_task(tasks.ask_a_busy_service, max_attempts=2)
    hopeless = create_task(tasks.measure, {"path": str(HERE / "no_such_file.py")})
    began = time.perf_counter()
    ids = create_tasks({"task": tasks.measure, "args": {"path": str(path)}} for path in standard_library())
    took = time.perf_counter() - began
    console.print(f"Enqueued: {len(ids)} source files in {took:.2f} s, a task that fails and one that is retried")
    return flaky, hopeless, len(ids) + 2


def standard_library() -> Iterator[Path]:
    root = Path(sysconfig.get_path("stdlib"))
    return (path for path in root.rglob("*.py") if NOT_OURS.isdisjoint(path.relative_to(root).parts))


def finished() -> int:
    return Task.objects.exclude(finished_at=None).count()


def work(show: Callable[[int], None]) -> None:
    """Run a worker until it ends, and show meanwhile how many tasks are finished."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as said:
        worker = subprocess.Popen(WORKER, stdout=said, stderr=subprocess.STDOUT)
        try:
            while worker.poll() is None:
                if time.monotonic() > STARTED + GIVE_UP_AFTER:
                    sys.exit("The tasks take far too long.")
                time.sleep(0.1)
                show(finished())
        finally:
            worker.terminate()
            worker.wait()
        if worker.returncode:
            said.seek(0)
            sys.exit(f"task_worker ended with code {worker.returncode}. It said:\n{said.read()}")


@contextmanager
def progress(count: int) -> Iterator[Callable[[int], None]]:
    """A function that shows how many tasks are finished: on a terminal in place, else on a line every two seconds."""
    if console.is_terminal:
        columns = TextColumn("Working:"), BarColumn(), MofNCompleteColumn(), TextColumn("tasks finished")
        with Progress(*columns, console=console) as bar:
            line = bar.add_task("", total=count)
            yield lambda done: bar.update(line, completed=done)
        return
    next_line = 0.0

    def show(done: int) -> None:
        nonlocal next_line
        if time.monotonic() >= next_line:
            console.print(f"Working: {done} of {count} tasks finished")
            next_line = time.monotonic() + 2

    yield show


def show_sources() -> None:
    measured = Task.objects.filter(task="words.tasks.measure", status=Task.COMPLETED)
    results = [
        (Path(json.loads(args)["path"]), json.loads(output)) for args, output in measured.values_list("args", "output")
    ]
    names: Counter[str] = Counter()
    for _, result in results:
        names.update(result["names"])
    largest = sorted(results, key=lambda one: one[1]["lines"], reverse=True)

    root = Path(sysconfig.get_path("stdlib"))
    table = Table("file", "lines", "words", "most used names", title="The largest files of the standard library")
    for path, result in largest[:8]:
        top = ", ".join(name for name, _ in Counter(result["names"]).most_common(5))
        table.add_row(str(path.relative_to(root)), f"{result['lines']:,}", f"{result['words']:,}", top)
    table.add_section()
    lines, words = (sum(result[what] for _, result in results) for what in ("lines", "words"))
    top = ", ".join(name for name, _ in names.most_common(5))
    table.add_row(f"all {len(results)}", f"{lines:,}", f"{words:,}", top)
    console.print(table)


def show_failures() -> None:
    table = Table("task", "attempt", "error", "in the end", title="What went wrong")
    for attempt in Attempt.objects.order_by("id"):
        task = Task.objects.get(pk=attempt.task_id)
        end = ": ".join(filter(None, (task.get_status_display(), task.output)))
        table.add_row(task.task, str(attempt.number), attempt.error.partition("\n")[0], end)
    console.print(table)


def show_rate() -> None:
    done = Task.objects.exclude(finished_at=None)
    first = done.order_by("started_at").values_list("started_at", flat=True)[0]
    last = done.order_by("-finished_at").values_list("finished_at", flat=True)[0]
    seconds = (last - first).total_seconds()
    console.print(f"{done.count()} tasks in {seconds:.1f} s: {done.count() / seconds:,.0f} a second")


def check(flaky: UUID, hopeless: UUID) -> None:
    """One task is expected to fail, one to succeed on its second attempt, all others on their first."""
    found = {task.id: task for task in Task.objects.all()}
    retried, failed = found.pop(flaky), found.pop(hopeless)
    wrong = [task for task in found.values() if task.status != Task.COMPLETED or task.attempt]
    if (retried.status, retried.output) != (Task.COMPLETED, "answered on attempt 2"):
        wrong.append(retried)
    if failed.status != Task.FAILED or "FileNotFoundError" not in failed.error:
        wrong.append(failed)
    for task in wrong:
        console.print(f"Not as expected: {task.task} {task.args}: {task.get_status_display()}, {task.error}")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
