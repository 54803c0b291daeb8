"""Shows where the time of a no-op task goes: CPU of the worker by what it does.

A backlog is worked off by one worker with one process, which samples itself.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.common import in_a_process, machine
from benchmarks.peers.peer import chunks
from compat_matrix import matrix
from compat_matrix.servers import server

Profile = dict[str, float]  # microseconds of CPU a task, by part


def main() -> int:
    names = [row.name for row in matrix.load().databases]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile", description=__doc__)
    add = parser.add_argument
    add("--database", action="append", choices=names, metavar="NAME", help=f"one of {', '.join(names)} (default: all)")
    add("--tasks", type=int, default=100_000, metavar="N", help="default %(default)s")
    add("--here", action="store_true", help=argparse.SUPPRESS)  # profile the database that BENCH_DATABASE says
    options = parser.parse_args()
    if options.here:
        print(json.dumps(profile(options.tasks)))
        return 0
    found: dict[str, Profile] = {}
    for name in options.database or names:
        with server(matrix.load().database(name)) as running:
            found[name] = in_a_process("benchmarks.profile", running.url, "--tasks", str(options.tasks))
    show(found)
    return 0


def profile(tasks: int) -> Profile:
    import django

    django.setup()
    from django.core.management import call_command

    from benchmarks.sampling import samples
    from django_simple_queue import create_tasks
    from django_simple_queue.models import Task

    call_command("migrate", verbosity=0)
    Task.objects.all().delete()
    for numbers in chunks(tasks):
        create_tasks({"task": "benchmarks.tasks.noop", "args": {"n": n}} for n in numbers)
    with TemporaryDirectory(prefix="dsq-profile-") as folder:
        spent = burst(BENCH_PROFILE=folder)
        seen = samples(Path(folder))
    assert Task.objects.filter(status=Task.COMPLETED).count() == tasks
    # What was spent is shared out by samples, whose clock is coarse; less what a worker costs that finds nothing.
    each = 1e6 / tasks * (spent - burst()) / max(1, sum(seen.values()))
    return {part: count * each for part, count in seen.items()}


def burst(**variables: str) -> float:
    """Seconds of CPU of a worker that runs what there is."""
    command = [sys.executable, "-m", "django", "task_worker", "--verbosity", "0", "--burst"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=os.environ | variables, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(getattr(after, one) - getattr(before, one) for one in ("ru_utime", "ru_stime"))


def show(found: dict[str, Profile]) -> None:
    parts = list(next(iter(found.values())))
    print(f"{machine()}; microseconds of CPU a no-op task, one worker with one process.\n")
    print(f"| | {' | '.join(found)} |")
    print(f"|---|{'---|' * len(found)}")
    for part in parts:
        print(f"| {part} | {' | '.join(f'{profile[part]:.1f}' for profile in found.values())} |")
    print(f"| all | {' | '.join(f'{sum(profile.values()):.1f}' for profile in found.values())} |")


if __name__ == "__main__":
    sys.exit(main())
