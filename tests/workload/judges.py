"""What must be true afterwards, from the rows and from what the tasks themselves wrote down."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator

from django_simple_queue.models import Attempt, Task
from django_simple_queue.states import CANCELLED, COMPLETED, ENDS, FAILED, QUEUED, SCHEDULED

from .play import Given, Life, Play
from .runs import Run

TOLERANCE = 20_000_000  # ns: databases round times


class Judge:
    def __init__(self, play: Play) -> None:
        self.play, self.workload = play, play.workload
        self.rows = {play.numbers[row.pk]: row for row in Task.objects.all()}
        self.runs = play.evidence.runs()
        self.attempts: dict[int, list[Attempt]] = defaultdict(list)
        self.effects: Counter[int] = Counter()
        for attempt in Attempt.objects.order_by("id"):
            number = play.numbers[attempt.task_id]
            if attempt.kind == "effect":
                self.effects[number] += 1
            else:
                self.attempts[number].append(attempt)
        self.suicides = play.evidence.suicides()
        self.deaths = {pid: at for pid, (_, at) in self.suicides.items()} | play.deaths
        self.lives = {life.process.pid: life for life in play.lives}

    def wrong(self) -> list[str]:
        """Every breach, in words."""
        found = [*self.workers()]
        for number, given in self.play.given.items():
            if number not in self.rows:
                found.append(f"task {number} ({given.group!r}) has no row any more")
                continue
            judges = (self.end, self.result, self.counts, self.overlaps, self.times)
            found += [f"{said}\n{self.story(number)}" for judge in judges for said in judge(given, self.rows[number])]
        return [*found, *self.losses(), *self.one_loss_at_a_time(), *self.unique_keys(), *self.order()]

    # -- each task -----------------------------------------------------------------------------------------------

    def end(self, given: Given, row: Task) -> Iterator[str]:
        """It has the state that its kind demands."""
        if row.holder is not None:
            yield f"task {given.number} is still held, by {row.holder}"
        if row.status in ENDS and (row.finished_at is None or row.unique_slot is not None):
            yield f"task {given.number} has ended, but finished_at or its unique slot says otherwise"
        demanded = {FAILED} if given.group.kind == "fails" else {COMPLETED}
        if given.wrongly_refused:
            yield f"task {given.number} had not ended, and yet could not be cancelled"
        if given.group.queue not in self.workload.served:
            demanded = {QUEUED, SCHEDULED}
            if self.runs[given.number]:
                yield f"task {given.number} ran, though nobody serves its queue"
        if given.cancelled and given.unstarted:
            demanded = {CANCELLED}
            if self.runs[given.number]:
                yield f"task {given.number} ran, though it was cancelled before"
        elif given.cancelled:
            demanded = demanded - {FAILED, QUEUED, SCHEDULED} | {CANCELLED}
        if row.status not in demanded:
            names = " or ".join(str(Task(status=status).get_status_display()) for status in demanded)
            yield f"task {given.number} should be {names}, not {row.get_status_display()}"

    def result(self, given: Given, row: Task) -> Iterator[str]:
        """Output, log and error are those of its last run."""
        runs, kind = self.runs[given.number], given.group.kind
        if kind == "adds_one" and self.effects[given.number] != (row.status == COMPLETED):
            yield f"atomic task {given.number} had {self.effects[given.number]} effects"
        if row.status == FAILED and "Meant: run" not in (row.error or ""):
            yield f"task {given.number} failed without its error"
        if row.status != COMPLETED:
            return
        if not any(run.end for run in runs):
            yield f"task {given.number} is COMPLETED, but no run of it came to its end"
            return
        last = [runs[-1].name, *[run.name for run in runs if not self.is_late(run)][-1:]]
        if (row.output, row.log, row.error) not in [(*texts(kind, name), None) for name in last]:
            yield f"what stands of task {given.number} is not from its last run, {last[0]}"

    def counts(self, given: Given, row: Task) -> Iterator[str]:
        """Runs are explained by failures and losses, and these are written down."""
        starts, number = len(self.runs[given.number]), given.number
        kinds = Counter("lost" if attempt.kind == "lost" else "failed" for attempt in self.attempts[number])
        if (kinds["lost"], kinds["failed"]) != (row.losses, row.attempt):
            yield f"task {number} counts {row.losses} losses and {row.attempt} failures, its history {dict(kinds)}"
        failures = given.group.failures
        if row.attempt > failures or (row.status in (COMPLETED, FAILED) and row.attempt != failures):
            yield f"task {number} should have failed {failures} times, not {row.attempt}"
        if not row.attempt <= starts <= (row.status == COMPLETED) + row.attempt + row.losses:
            yield f"task {number} was started {starts} times; its failures and losses explain another number"

    def overlaps(self, given: Given, row: Task) -> Iterator[str]:
        """No two runs at once; those of a worker cut off for longer than a lease aside."""
        for run in self.runs[given.number]:
            if run.end is None and self.death_of(run) is None:
                yield f"run {run.name} of task {given.number} has no end, and nobody killed its process"
        for first, second in itertools.combinations(self.runs[given.number], 2):
            if second.start < self.end_of(first) and not (self.was_cut_off(first) or self.was_cut_off(second)):
                yield f"task {given.number} was run twice at once, {first.name} and {second.name}"

    def times(self, given: Given, row: Task) -> Iterator[str]:
        due = given.sent + given.group.run_after * 1_000_000
        if (runs := self.runs[given.number]) and runs[0].start < due - TOLERANCE:
            yield f"task {given.number} began {(due - runs[0].start) / 1e6:.0f} ms before it was due"

    # -- workers -------------------------------------------------------------------------------------------------

    def workers(self) -> Iterator[str]:
        if not self.play.drained:
            words = (f"{life.name} said:\n{life.process.said[-1500:]}" for life in self.play.lives)
            yield "\n".join(["the workers could not drain the table", *words])
        may_stay = {life.name for life in self.play.lives if life.killed} if self.workload.burst else set()
        if left := set(self.play.workers_left) - may_stay:
            yield f"Worker rows stay behind: {', '.join(sorted(left))}"
        for life in self.play.lives:
            said = life.process.said
            if life.code != 0 and not life.killed:
                yield f"{life.name} ended with code {life.code}; it said:\n{said}"
            for line in life.process.crashes:
                yield f"{life.name} fell over, after {line!r}; it said:\n{said}"
            for words in ("declared dead", "claim was lost"):
                if words in said and not life.cut_off:
                    yield f"{life.name} was never cut off, but says {words!r}:\n{said}"

    def losses(self) -> Iterator[str]:
        """Each is explained by a death: a whole worker's, of what it held; a runner's, of what it ran."""
        lost: dict[str, Counter[int]] = defaultdict(Counter)
        for number, attempts in self.attempts.items():
            for attempt in attempts:
                lost[attempt.worker][number] += attempt.kind == "lost"
        for life in self.play.lives:
            of_life = lost.pop(life.name, Counter())
            if missing := [number for number in life.held if not of_life[number]]:
                yield self.tell(f"{life.name} was killed and held these tasks, which have no loss", missing)
            rest = of_life - Counter(life.held)
            most = self.runners_lost(life) * life.crew.threads
            if rest.total() > most and not life.cut_off:
                yield self.tell(f"{rest.total()} losses by {life.name}, where at most {most} tasks ran that died", rest)
        if unknown := {name: numbers for name, numbers in lost.items() if numbers.total()}:
            yield f"losses by workers that there never were: {unknown}"

    def runners_lost(self, life: Life) -> int:
        by_tasks = sum(supervisor == life.process.pid for supervisor, _ in self.suicides.values())
        return life.runners_killed + by_tasks

    def one_loss_at_a_time(self) -> Iterator[str]:
        """A task with a loss runs alone in its process, and no other one with a loss runs in its worker."""
        every = sorted((run for runs in self.runs.values() for run in runs), key=lambda run: run.start)
        again = {run.name for run in every if any(self.was_lost(one) for one in self.runs_before(run))}
        for first, second in itertools.combinations(every, 2):
            together = second.start < self.end_of(first) and first.number != second.number
            if not together or self.was_cut_off(first) or self.was_cut_off(second):
                continue
            both = first.name in again and second.name in again and first.supervisor == second.supervisor
            either = (first.name in again or second.name in again) and first.pid == second.pid
            if both or either:
                yield self.tell("a task with a loss did not run alone", [first.number, second.number])

    def runs_before(self, run: Run) -> list[Run]:
        return [one for one in self.runs[run.number] if one.start < run.start]

    # -- several tasks -------------------------------------------------------------------------------------------

    def unique_keys(self) -> Iterator[str]:
        by_key: dict[str, list[Given]] = defaultdict(list)
        for given in self.play.given.values():
            if given.group.key:
                by_key[given.group.key].append(given)
        for key, tasks in by_key.items():
            for first, second in itertools.pairwise(sorted(tasks, key=lambda given: given.answered)):
                late = [run for run in self.runs[first.number] if run.start > second.answered]
                if any(not self.was_cut_off(run) for run in late):
                    yield self.tell(f"two unfinished tasks had the unique key {key!r}", [first.number, second.number])

    def order(self) -> Iterator[str]:
        """By queue as listed, then priority, then arrival: what could run from the beginning."""
        if not self.workload.in_order:
            return
        queues = self.workload.crews[0].queues
        firsts = []
        for number, given in self.play.given.items():
            group, row = given.group, self.rows[number]
            if self.runs[number] and not (group.at or group.run_after):
                place = queues.index(group.queue) if queues else 0
                firsts.append((self.runs[number][0].start, (place, row.rank, row.seq), number))
        for (_, first, one), (_, second, other) in itertools.pairwise(sorted(firsts)):
            if first > second:
                yield self.tell(f"task {one} began before task {other}, whose turn it was", [one, other])

    # -- facts ---------------------------------------------------------------------------------------------------

    def death_of(self, run: Run) -> int | None:
        """When its process died, or was cut off for so long that it may have been killed for that."""
        life = self.lives.get(run.supervisor)
        if run.pid in self.deaths:
            return self.deaths[run.pid]
        return life.cut_off[1] if life and life.cut_off else None

    def end_of(self, run: Run) -> int:
        return run.end if run.end is not None else max(run.start, self.death_of(run) or 0)

    def was_lost(self, run: Run) -> bool:
        return run.end is None and run.pid in self.deaths

    def was_cut_off(self, run: Run) -> bool:
        life = self.lives.get(run.supervisor)
        return bool(life and life.cut_off and run.start <= life.cut_off[1] and life.cut_off[0] <= self.end_of(run))

    def is_late(self, run: Run) -> bool:
        """Began while its worker was cut off: between its look at the lease and its first line."""
        life = self.lives.get(run.supervisor)
        return bool(life and life.cut_off and life.cut_off[0] <= run.start <= life.cut_off[1])

    def tell(self, said: str, numbers: list[int] | Counter[int]) -> str:
        return "\n".join([said, *(self.story(number) for number in list(numbers)[:3])])

    def story(self, number: int) -> str:
        """All that is known of a task."""
        given, row = self.play.given[number], self.rows[number]
        zero = min(one.sent for one in self.play.given.values())
        lines = [
            f"    task {number}, {given.id}: {given.group!r}",
            f"    {row.get_status_display()}, holder {row.holder}, attempt {row.attempt}, losses {row.losses}, by"
            f" {row.worker}, cancelled {given.cancelled}, output {row.output!s:.60}, error {row.error!s:.60}",
        ]
        for run in self.runs[number]:
            life = self.lives.get(run.supervisor)
            end = "cut off" if run.end is None else f"{(run.end - zero) / 1e6:.1f}"
            lines.append(
                f"    run {run.name} by {life.name if life else '?'}: {(run.start - zero) / 1e6:.1f} to {end} ms"
            )
        for attempt in self.attempts[number]:
            lines.append(f"    {attempt.kind} by {attempt.worker}: {attempt.error!s:.60}")
        return "\n".join(lines)


def texts(kind: str, run: str) -> tuple[str | None, str | None]:
    """Output and log of a successful run."""
    if kind == "plain":
        return None, None
    if kind == "yields":
        return "".join(f"{run}/{part} " for part in range(3)), None
    printed = {"prints": 10, "floods": 70_000}.get(kind)
    return run, f"{run} {'x' * printed}\n" if printed else None
