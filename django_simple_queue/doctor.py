"""What task_doctor finds out about a database, before `migrate` and before an upgrade from 0.1.x too. It only reads."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db import Error, router

from .backends import Session, choose, get_strategy
from .backends.health import INFO, UNSAFE, WARNING, Finding, Health, health_of
from .callables import resolve
from .claims.registered import Judged, Registered, judge, load
from .conf import get_settings
from .exceptions import ClaimError, StrategyError
from .models import Attempt, Lease, Task, Worker
from .queue import workers
from .records import as_uuid
from .states import PROGRESS, QUEUED, SCHEDULED

TABLE = Task._meta.db_table
NAMES_SHOWN = 50  # callables that would be refused
ROWS_READ = 10_000  # waiting tasks whose arguments are read
SKEW = 1.0  # seconds
MIGRATE = "python manage.py migrate django_simple_queue --database {}"


@dataclass(frozen=True)
class Patient:
    """A database, and which columns its task table has: before an upgrade, fewer."""

    session: Session
    health: Health
    columns: frozenset[str]

    @property
    def alias(self) -> str:
        return self.session.alias

    def tasks(self, what: str, where: str, more: str = "") -> list[tuple[Any, ...]]:
        return self.session.rows(f"SELECT {what} FROM {TABLE} WHERE {where} {more}")


def claimed_from() -> list[str]:
    """The aliases that DJANGO_SIMPLE_QUEUE_CLAIMS claims from."""
    return list(dict.fromkeys(one.alias for one, _ in _registered() if one))


def _registered() -> Iterator[tuple[Registered | None, str]]:
    """What each name of the setting stands for; None, and why, for one that stands for nothing."""
    for name in get_settings().claims:
        try:
            yield load(name), ""
        except ClaimError as error:
            yield None, f"{name} gives nothing to claim from: {error}."


def examine(alias: str, *, queue: bool = True) -> dict[str, Any]:
    """The report on one alias, ready to be shown as JSON; `queue`: tasks are kept there, or are to be."""
    session = Session(alias)
    health = health_of(session.connection, TABLE)
    report: dict[str, Any] = {"vendor": None, "version": None, "driver": None, "isolation": None}
    report |= {"strategy": None, "why": None, "passed_over": {}, "claims": []}
    findings: list[Finding] = []
    try:
        for name in ("vendor", "driver", "version", "isolation"):
            value = getattr(health, name)
            report[name] = value() if callable(value) else value
        findings += _strategy(session, report)
        patient = Patient(session, health, frozenset(health.columns(TABLE)))
        findings += _findings(patient) if queue else [*health.findings(), *_connections(patient)]
        findings += _claims(patient, report)
    except Error as error:
        findings.append(_unreachable(alias, error))
    return report | {"findings": [finding._asdict() for finding in findings]}


def _unreachable(alias: str, error: Error) -> Finding:
    text = " ".join(str(error).split())
    return Finding(UNSAFE, f"Database {alias!r} does not answer: {text}", f"Look at DATABASES[{alias!r}].")


def _strategy(session: Session, report: dict[str, Any]) -> Iterator[Finding]:
    try:
        choice = choose(session.connection, get_settings().strategy_for(session.alias))
    except StrategyError as error:
        report["why"] = str(error)
        yield Finding(UNSAFE, str(error), "Change DJANGO_SIMPLE_QUEUE_CLAIM_STRATEGY.")
    else:
        report |= {"strategy": choice.strategy.name, "why": choice.why, "passed_over": choice.passed_over}


def _claims(patient: Patient, report: dict[str, Any]) -> Iterator[Finding]:
    """How the project's own claims would find their rows."""
    for registered, why in _registered():
        if registered is None:
            yield Finding(WARNING, why, "Correct DJANGO_SIMPLE_QUEUE_CLAIMS.")
        elif registered.alias == patient.alias and report["strategy"]:
            table = registered.queryset.model._meta.db_table
            if not patient.health.columns(table):
                what = f"Claims from {registered.name} cannot be examined: the table {table} is missing."
                yield Finding(WARNING, what, f"python manage.py migrate --database {patient.alias}")
                continue
            try:
                judged = judge(registered, get_strategy(session=patient.session))
            except (ClaimError, Error) as error:
                yield Finding(WARNING, f"{registered.name}: {' '.join(str(error).split())}.", "Correct its filter.")
                continue
            report["claims"].append(_shown(registered.name, judged))
            if judged is not None and judged.problem is not None:
                yield Finding(WARNING, *judged.problem)


def _shown(name: str, judged: Judged | None) -> dict[str, Any]:
    plan = judged and judged.found.plan
    return {
        "name": name,
        "strategy": judged and judged.found.strategy.name,
        "index": plan and plan.by,
        "sorts": plan and plan.sorts,
        "scans": plan and plan.scans,
        "plan": plan and plan.text,
    }


def _findings(patient: Patient) -> Iterator[Finding]:
    yield from _migrations(patient)
    yield from patient.health.findings()
    if patient.columns:
        for look in LOOKS_AT_TASKS:
            yield from look(patient)
    if {f.column for f in Task._meta.fields} <= patient.columns:
        yield from patient.health.missing_indexes()
    if patient.health.columns(Worker._meta.db_table):
        yield from _workers(patient)
    yield from _clock(patient)
    yield from _routers(patient)
    yield from _connections(patient)


def _migrations(patient: Patient) -> Iterator[Finding]:
    for model in (Task, Worker, Attempt) if patient.columns else (Task,):
        table = model._meta.db_table
        there = patient.columns if model is Task else patient.health.columns(table)
        missing = sorted({str(field.column) for field in model._meta.fields} - there)
        if missing:
            what = f"lacks {', '.join(missing)}" if there else "is missing"
            yield Finding(
                UNSAFE,
                f"The table {table} {what}: workers do not start.",
                MIGRATE.format(patient.alias),
            )
    if patient.columns and not patient.health.columns(Lease._meta.db_table):
        what = f"The table {Lease._meta.db_table} is missing: lease() fails."
        yield Finding(WARNING, what, MIGRATE.format(patient.alias))


def _refused(patient: Patient) -> Iterator[Finding]:
    """Waiting tasks whose callable would not be run, with the reason that the worker would store."""
    found = patient.tasks(
        "task, COUNT(*)", f"status IN ({QUEUED}, {SCHEDULED})", "GROUP BY task ORDER BY COUNT(*) DESC, task"
    )
    refused = [(name, count, reason) for name, count in found if (reason := _why_refused(name))]
    for name, count, reason in refused[:NAMES_SHOWN]:
        yield Finding(
            WARNING,
            f"{_tasks(count)} of {name!r} would fail: {reason}",
            "Cancel them, or make the callable importable and allowed before a worker starts.",
        )
    if more := refused[NAMES_SHOWN:]:
        total = sum(count for _, count, _ in more)
        yield Finding(
            WARNING, f"{_tasks(total)} of {len(more)} more callables would fail.", "Mend the ones above first."
        )


def _why_refused(name: str) -> str | None:
    try:
        resolve(name)
    except Exception as error:  # importing runs the project's own code
        return f"{type(error).__name__}: {error}"
    return None


def _arguments(patient: Patient) -> Iterator[Finding]:
    rows = patient.tasks("id, args", f"status IN ({QUEUED}, {SCHEDULED})", patient.session.dialect.limit(ROWS_READ))
    bad = [key for key, args in rows if not _is_object(args)]
    if bad:
        among = "" if len(rows) < ROWS_READ else f" (of the {ROWS_READ} that were read)"
        yield Finding(
            WARNING,
            f"{_tasks(len(bad))}{among} would fail, since the arguments are no JSON object: {_ids(bad)}.",
            "Cancel them, or correct their args.",
        )


def _is_object(args: str | None) -> bool:
    try:
        return not args or isinstance(json.loads(args), dict)
    except (ValueError, RecursionError):
        return False


def _left_in_progress(patient: Patient) -> Iterator[Finding]:
    old = "holder" not in patient.columns
    held_by_nobody = f"status = {PROGRESS}" + ("" if old else " AND holder IS NULL")
    count = patient.tasks("COUNT(*)", held_by_nobody)[0][0]
    if not count:
        return
    ids = _ids([row[0] for row in patient.tasks("id", held_by_nobody, patient.session.dialect.limit(3))], count)
    if old:
        yield Finding(
            INFO,
            f"{_tasks(count, '')} in progress under version 0.1: {ids}.",
            "Stop its workers before the upgrade; what they leave in progress is then yours to retry or cancel.",
        )
    else:
        yield Finding(
            WARNING,
            f"{_tasks(count, '')} in progress that nobody holds, left by a worker of version 0.1: {ids}."
            " No worker touches them.",
            "Once no such worker runs: retry_task(id) or cancel_task(id), or the same in the admin.",
        )


LOOKS_AT_TASKS: tuple[Callable[[Patient], Iterator[Finding]], ...] = (_refused, _arguments, _left_in_progress)


def _workers(patient: Patient) -> Iterator[Finding]:
    lease = get_settings().lease_seconds
    seen = workers.alive(patient.session, lease)
    stale = Counter(worker.name for worker in seen if worker.stale)
    for name in stale:
        yield Finding(
            WARNING,
            f"Worker {name} has not beaten for more than its lease of {lease:g} s: it is dead, or cut off.",
            "Any running task_worker finds out and takes back what it holds.",
        )
    if not any(not worker.stale for worker in seen):
        yield Finding(INFO, "No worker is running.", "python manage.py task_worker")


def _clock(patient: Patient) -> Iterator[Finding]:
    ahead = patient.health.clock_ahead()
    if abs(ahead) > SKEW:
        yield Finding(
            WARNING,
            f"The database's clock is {abs(ahead):.1f} s {'ahead of' if ahead > 0 else 'behind'} this machine's:"
            " run_after and expires are that much off.",
            "Let both follow a time server.",
        )


def _routers(patient: Patient) -> Iterator[Finding]:
    writes, reads = router.db_for_write(Task), router.db_for_read(Task)
    if patient.alias == get_settings().database and writes != patient.alias:
        yield Finding(
            WARNING,
            f"Task.objects.create() writes to {writes!r}, and workers look in {patient.alias!r}.",
            "Enqueue by create_task() alone; or route the app there, and leave DJANGO_SIMPLE_QUEUE_DATABASE away.",
        )
    if patient.alias in (writes, reads) and reads != writes:
        yield Finding(
            INFO,
            f"Task.objects reads from {reads!r} and writes to {writes!r}: a new task may not be seen at once.",
            f"Task.objects.using({writes!r}) where that matters.",
        )


def _connections(patient: Patient) -> Iterator[Finding]:
    given = patient.session.connection.settings_dict
    if given.get("CONN_MAX_AGE", 0) != 0 and not given.get("CONN_HEALTH_CHECKS"):
        yield Finding(
            INFO,
            f"CONN_MAX_AGE is {given['CONN_MAX_AGE']} without CONN_HEALTH_CHECKS: after a restart of the database the"
            " first query of a task or request fails.",
            f'Set "CONN_HEALTH_CHECKS": True in DATABASES[{patient.alias!r}].',
        )


def _tasks(count: int, kind: str = " waiting") -> str:
    return f"1{kind} task" if count == 1 else f"{count}{kind} tasks"


def _ids(keys: list[Any], count: int | None = None) -> str:
    shown = [str(as_uuid(key)) for key in keys[:3]]
    more = (len(keys) if count is None else count) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
