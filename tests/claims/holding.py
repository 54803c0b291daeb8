"""python -m tests.claims.holding --database postgresql --minutes 5

Eight processes want one lease while whoever has it is killed, suspended for longer than it lasts, or cut off by a
restart of the server. What they write under confirm() shows whether two ever had it at once. Prints a line of a table.
"""

from __future__ import annotations

import argparse
import dataclasses
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .crew import Crew, Member, wait_for
from .racing import own_database

HOLDERS = 8
NAME = "holding:one"
TTL = 1.0
TAKEN, CONFIRMED, LOST, LOST_BY_CLOCK, ERROR = range(5)


# ---- a holder, in a process of its own ----


def hold(me: Member) -> None:
    """Take the lease, write a few times under it, give it back; until told to stop."""
    from django.db import Error, connection

    from django_simple_queue.claims import LeaseHeld, LeaseLost, lease

    chance = random.Random(f"{me.folder}{me.number}{time.monotonic_ns()}")
    me.say(f"ready-{me.number}")
    while not me.heard("stop"):
        held = lease(NAME, TTL, wait=1, renew=chance.random() < 0.8)
        try:
            with held:
                me.tell([TAKEN, held.fence])
                (me.folder / "holder").write_text(str(me.number))
                for _ in range(chance.randrange(1, 4)):
                    if chance.random() < 0.3:  # confirm() alone is to be enough
                        held.check()
                    write_under(held, chance.uniform(0, 0.03))
                    me.tell([CONFIRMED, held.fence])
        except LeaseHeld:
            continue
        except LeaseLost:
            me.tell([LOST if held.deadline == 0 else LOST_BY_CLOCK, held.fence])
        except Error:
            me.tell([ERROR, 0])
            connection.close()
            time.sleep(0.05)


def write_under(held: Any, seconds: float) -> None:
    """Read, think, write what was read plus one: whoever does so at the same time loses a number or doubles one."""
    from django.db import transaction

    from .models import Heap, Target

    with transaction.atomic():
        held.confirm()
        shared = Target.objects.get(label=NAME)
        time.sleep(seconds)
        Target.objects.filter(pk=shared.pk).update(tries=shared.tries + 1, fence=held.fence)
        Heap.objects.create(status=shared.tries + 1, place=held.fence)


# ---- what happens to them ----


@dataclasses.dataclass
class Outcome:
    taken: int = 0
    confirmed: int = 0
    lost: int = 0  # times that a holder was told that another has it
    late: int = 0  # times that its own clock told it so
    errors: int = 0
    faults: Counter[str] = dataclasses.field(default_factory=Counter)
    wrong: list[str] = dataclasses.field(default_factory=list)


class Faults:
    """Each is one thing that happens to whoever has the lease now, or to the server."""

    def __init__(self, crew: Crew, server: Any) -> None:
        self.crew, self.server = crew, server

    def holder(self) -> int:
        """Who took it last. A holder that was killed does not come back by itself."""
        wait_for(lambda: (self.crew.folder / "holder").exists(), "somebody to have it")
        wait_for(lambda: (self.crew.folder / "holder").read_text(), "somebody to have it")
        return int((self.crew.folder / "holder").read_text())

    def kill(self) -> None:
        number = self.holder()
        self.crew.kill(number)
        self.crew.start(number, hold)

    def suspend(self) -> None:
        number = self.holder()
        self.crew.send(number, signal.SIGSTOP)
        time.sleep(TTL * 1.5)
        self.crew.send(number, signal.SIGCONT)

    def restart(self) -> None:
        self.server.stop()
        self.server.start()

    def crash(self) -> None:
        self.server.kill()
        wait_for(self.started, "the server to find that its processes of before are gone")

    def started(self) -> bool:
        from compat_matrix.errors import ServerError

        try:
            self.server.start()
        except ServerError:
            return False
        return True


def run(folder: Path, database: dict[str, Any], faults: Iterator[tuple[float, str]], server: Any = None) -> Outcome:
    """`faults`: how long to wait, then the name of a fault, or "" for none. On tables that are there and empty."""
    from django.db import connection

    from .models import Target

    Target.objects.create(label=NAME)
    connection.close()
    outcome = Outcome()
    with Crew(folder, database) as crew:
        for number in range(HOLDERS):
            crew.start(number, hold)
        crew.wait_until_ready()
        happens = Faults(crew, server)
        for seconds, fault in faults:
            time.sleep(seconds)
            if fault:
                getattr(happens, fault)()
                outcome.faults[fault] += 1
        enough = len(told(crew, TAKEN))
        wait_for(lambda: len(told(crew, TAKEN)) > enough, "somebody to take it after all that")
        crew.say("stop")
        ends = crew.join()
        outcome.wrong = [f"holder {number} ended with {end}" for number, end in ends.items() if end]
        judge(crew, outcome)
    return outcome


def told(crew: Crew, kind: int) -> list[int]:
    return [fence for number in range(HOLDERS) for word, fence in crew.told_by(number) if word == kind]


def judge(crew: Crew, outcome: Outcome) -> None:
    from django_simple_queue.models import Lease

    from .models import Heap, Target

    shared, row = Target.objects.get(label=NAME), Lease.objects.get(name=NAME)
    written = list(Heap.objects.order_by("id").values_list("status", "place"))
    fences = told(crew, TAKEN)
    outcome.taken, outcome.confirmed = len(fences), len(written)
    outcome.lost, outcome.late = len(told(crew, LOST)), len(told(crew, LOST_BY_CLOCK))
    outcome.errors = len(told(crew, ERROR))

    def wrong_if(wrong: Any, why: str) -> None:
        if wrong:
            outcome.wrong.append(why)

    numbers = sorted(number for number, _ in written)
    wrong_if(numbers != list(range(1, len(written) + 1)), "two had it at once: numbers were lost or doubled")
    wrong_if(shared.tries != len(written), f"two had it at once: {shared.tries} counted, {len(written)} written")
    by_number = [fence for _, fence in sorted(written)]
    wrong_if(by_number != sorted(by_number), "a former holder wrote after its successor")
    wrong_if(len(set(fences)) != len(fences), "a fence was given out twice")
    wrong_if(max(fences) > row.fence, f"the fence went back to {row.fence}")
    for number in range(HOLDERS):
        its = [fence for word, fence in crew.told_by(number) if word == TAKEN]
        wrong_if(its != sorted(its), f"the fence fell for holder {number}")
    wrong_if(not set(by_number) <= set(fences), "somebody wrote who had not taken it")
    wrong_if(Counter(told(crew, CONFIRMED)) - Counter(by_number), "what was committed is not there")


# ---- in full size ----


def at_random(minutes: float, kinds: Sequence[str]) -> Iterator[tuple[float, str]]:
    end = time.monotonic() + minutes * 60
    while time.monotonic() < end:
        yield random.uniform(0.1, 1.5), random.choice(kinds)


def main(arguments: Sequence[str] | None = None) -> int:
    from compat_matrix import matrix

    parser = argparse.ArgumentParser(prog="python -m tests.claims.holding", description=__doc__)
    parser.add_argument("--database", choices=[row.name for row in matrix.load().databases], default="sqlite")
    parser.add_argument("--minutes", type=float, default=1.0)
    options = parser.parse_args(arguments)
    with own_database(options.database) as database, tempfile.TemporaryDirectory(prefix="dsq-holding-") as folder:
        server = database.pop("server")
        kinds = ["kill", "kill", "suspend", *(["restart", "crash"] if server else [])]
        outcome = run(Path(folder), database, at_random(options.minutes, kinds), server)
    faults = ", ".join(f"{count} x {name}" for name, count in sorted(outcome.faults.items()))
    overlaps = sum("two had it" in why or "former holder" in why for why in outcome.wrong)
    print("database       minutes  taken confirmed lost late errors overlaps fences  faults")
    print(
        f"{options.database:14} {options.minutes:7.1f} {outcome.taken:6} {outcome.confirmed:9} {outcome.lost:4}"
        f" {outcome.late:4} {outcome.errors:6} {overlaps:8} {'wrong' if outcome.wrong else 'unique':7} {faults}"
    )
    print("\n".join(outcome.wrong) or "Nothing is wrong.")
    return 1 if outcome.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
