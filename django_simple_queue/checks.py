"""System checks of the settings. They read no rows, and ask a database only under `check --database`."""

from __future__ import annotations

import datetime
import difflib
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import Error as DatabaseError
from django.db import connections, router
from django.utils.module_loading import import_string

from .backends import ClaimStrategy, choose, get_strategy
from .backends.dialects import dialect_for
from .backends.registry import names
from .conf import PREFIX, Settings, get_settings
from .exceptions import ClaimError, StrategyError
from .options import atomic_callables

TAG = "django_simple_queue"
DEFAULTS: dict[str, Any] = {field.name.upper(): field.default for field in fields(Settings)}
NAMES = [*DEFAULTS]
KNOWN = [PREFIX + name for name in NAMES]
NOTHING: Any = object()


def is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def is_whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


# Setting, whether a value is right, what would be right.
VALUES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "TASK_TIMEOUT": (lambda v: v is None or is_number(v), "seconds as a number; None, 0 or less for none"),
    "MAX_OUTPUT_SIZE": (lambda v: is_whole(v, 1), "a whole number of bytes, at least 1"),
    "MAX_ARGS_SIZE": (lambda v: is_whole(v, 2), "a whole number of bytes, at least 2"),
    "MAX_ATTEMPTS": (lambda v: is_whole(v, 1), "a whole number, at least 1"),
    "RETRY_BACKOFF": (lambda v: is_number(v) and v >= 0, "seconds as a number, 0 or more"),
    "LEASE_SECONDS": (lambda v: is_number(v) and v > 0, "seconds as a number above 0"),
    "HEARTBEAT_SECONDS": (lambda v: is_number(v) and v > 0, "seconds as a number above 0"),
    "MAX_WORKER_LOSSES": (lambda v: is_whole(v, 1), "a whole number, at least 1"),
    "NOTIFY": (lambda v: isinstance(v, bool), "True or False"),
    "KEEP_FINISHED": (
        lambda v: v is None or (is_number(v) and v >= 0) or isinstance(v, datetime.timedelta),
        "seconds as a number, a timedelta, or None to keep finished tasks for ever",
    ),
    "SCHEDULE": (lambda v: v is None or isinstance(v, Mapping), "a dict, or None"),
}


def given(name: str) -> Any:
    """A setting as the project wrote it, or NOTHING."""
    return getattr(django_settings, PREFIX + name, NOTHING)


@register(TAG)
def check_settings(**kwargs: Any) -> list[CheckMessage]:
    return [
        *_unknown_names(),
        *_values(),
        *_allowed_tasks(),
        *_status_access(),
        *_database(),
        *_claim_strategy(),
        *_lease(),
        *_claims(),
    ]


def _unknown_names() -> Iterator[CheckMessage]:
    for name in dir(django_settings):
        if name.startswith(PREFIX) and name not in KNOWN:
            near = difflib.get_close_matches(name.removeprefix(PREFIX).upper(), NAMES, n=1, cutoff=0.5)
            hint = f"Did you mean {PREFIX}{near[0]}?" if near else f"There are {', '.join(KNOWN)}."
            yield Warning(f"There is no setting {name}: it does nothing.", hint=hint, id=f"{TAG}.W001")


def _values() -> Iterator[CheckMessage]:
    for name, (is_right, right) in VALUES.items():
        if (value := given(name)) is not NOTHING and not is_right(value):
            yield Error(f"{PREFIX}{name} is {value!r}.", hint=f"It should be {right}.", id=f"{TAG}.E001")


def _allowed_tasks() -> Iterator[CheckMessage]:
    value = given("ALLOWED_TASKS")
    if value is NOTHING or value is None:
        return
    if isinstance(value, str) or not isinstance(value, Collection):
        yield Error(
            f"{PREFIX}ALLOWED_TASKS is {value!r}.",
            hint='It should be a set or list such as {"myapp.tasks.send_mail", "reports.*"}, or None.',
            id=f"{TAG}.E002",
        )
        return
    for entry in value:
        if not _is_entry(entry):
            yield Error(
                f"{PREFIX}ALLOWED_TASKS has {entry!r}, which allows nothing.",
                hint='An entry is a dotted name, "myapp.tasks.send_mail", or a package and all in it, "myapp.*".',
                id=f"{TAG}.E003",
            )


def _is_entry(entry: object) -> bool:
    if not isinstance(entry, str):
        return False
    names = entry.removesuffix(".*").split(".")
    return all(name.isidentifier() for name in names) and (entry.endswith(".*") or len(names) > 1)


def _status_access() -> Iterator[CheckMessage]:
    value = given("STATUS_ACCESS")
    if value in (NOTHING, "staff", "public") or callable(value):
        return
    hint = 'It should be "staff", "public", or a function (request, task) -> bool or the dotted name of one.'
    try:
        if callable(import_string(value)):
            return
        problem = "it cannot be called"
    except (ImportError, AttributeError, TypeError) as error:
        problem = str(error)
    yield Error(f"{PREFIX}STATUS_ACCESS is {value!r}: {problem}.", hint=hint, id=f"{TAG}.E004")


def _database() -> Iterator[CheckMessage]:
    value = given("DATABASE")
    if value not in (NOTHING, None) and value not in _aliases():
        yield Error(
            f"{PREFIX}DATABASE is {value!r}, which is not in DATABASES.",
            hint=f"There is {', '.join(_aliases())}; or leave it away to go by the database routers.",
            id=f"{TAG}.E005",
        )


def _claim_strategy() -> Iterator[CheckMessage]:
    value = given("CLAIM_STRATEGY")
    if value is NOTHING:
        return
    for alias, wanted in value.items() if isinstance(value, Mapping) else [(None, value)]:
        if alias is not None and alias not in _aliases():
            yield Warning(
                f"{PREFIX}CLAIM_STRATEGY has an entry for {alias!r}, which is not in DATABASES.",
                hint=f"There is {', '.join(_aliases())}.",
                id=f"{TAG}.W003",
            )
        if problem := _not_a_strategy(wanted):
            yield Error(
                f"{PREFIX}CLAIM_STRATEGY is {value!r}: {problem}.",
                hint=f'It should be "auto", one of {", ".join(names())}, the dotted name of a ClaimStrategy,'
                f" or a dict from database alias to one of these.",
                id=f"{TAG}.E006",
            )


def _not_a_strategy(wanted: object) -> str | None:
    if wanted == "auto" or wanted in names():
        return None
    try:
        found = import_string(wanted)  # type: ignore[arg-type]
    except (ImportError, AttributeError, TypeError) as error:
        return f"there is no strategy {wanted!r} ({error})"
    is_one = isinstance(found, type) and issubclass(found, ClaimStrategy)
    return None if is_one else f"{wanted!r} is no subclass of django_simple_queue.backends.ClaimStrategy"


def _lease() -> Iterator[CheckMessage]:
    lease, beat = (
        DEFAULTS[name] if (value := given(name)) is NOTHING else value
        for name in ("LEASE_SECONDS", "HEARTBEAT_SECONDS")
    )
    if not (is_number(lease) and is_number(beat) and lease > 0):
        return
    what = f"{PREFIX}HEARTBEAT_SECONDS is {beat} and {PREFIX}LEASE_SECONDS is {lease}"
    if beat >= lease:
        yield Error(
            f"{what}: workers that are alive would be taken for dead.",
            hint="Beat at least three times in a lease.",
            id=f"{TAG}.E008",
        )
    elif beat > lease / 3:
        yield Warning(
            f"{what}: one or two late beats and a worker that is alive loses its tasks.",
            hint="Beat at least three times in a lease.",
            id=f"{TAG}.W002",
        )


def _claims() -> Iterator[CheckMessage]:
    from .claims.registered import load  # not while apps are loaded

    value = given("CLAIMS")
    if value is NOTHING or value is None:
        return
    if isinstance(value, str) or not isinstance(value, Collection):
        yield Error(
            f"{PREFIX}CLAIMS is {value!r}.",
            hint='It should be a list such as ["myapp.outbox.waiting"]: functions that return a queryset.',
            id=f"{TAG}.E009",
        )
        return
    for name in value:
        try:
            load(name)
        except ClaimError as error:
            yield _no_claim(name, error)


def _no_claim(name: Any, error: ClaimError) -> CheckMessage:
    return Error(
        f"{PREFIX}CLAIMS has {name!r}: {error}.",
        hint="An entry is the dotted name of a function that takes nothing and returns a queryset for claim_rows().",
        id=f"{TAG}.E009",
    )


@register(Tags.database)
def check_claims(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Whether an index serves what the project claims from."""
    if any(message.id == f"{TAG}.E009" for message in _claims()):
        return []  # that has been said
    return [message for name in get_settings().claims for message in _costs(name, databases or ())]


def _costs(name: str, databases: Sequence[str]) -> Iterator[CheckMessage]:
    from .claims.registered import judge, load

    registered = load(name)
    if registered.alias not in databases:
        return
    try:
        judged = judge(registered, get_strategy(registered.alias))
    except ClaimError as error:
        yield _no_claim(name, error)
    except (StrategyError, DatabaseError):
        pass  # said elsewhere, or the table is still to be made
    else:
        if judged is not None and judged.problem is not None:
            yield Warning(judged.problem.what, hint=judged.problem.fix, id=f"{TAG}.W005")


@register(TAG)
def check_atomic(**kwargs: Any) -> list[CheckMessage]:
    """Atomic tasks where one transaction that writes holds up all others."""
    from .models import Task  # not while apps are loaded

    alias = given("DATABASE")
    if alias is NOTHING or alias is None:
        alias = router.db_for_write(Task)
    if not atomic_callables or alias not in connections or not dialect_for(connections[alias]).one_writer:
        return []
    which = ", ".join(sorted(set(atomic_callables)))
    return [
        Warning(
            f"Atomic tasks ({which}) on database {alias!r}: while one runs, nothing else there can write.",
            hint="Keep them short, or move the queue to a server database.",
            id=f"{TAG}.W004",
        )
    ]


@register(Tags.database)
def check_strategies(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Whether the strategies that the settings name can run where the queue's tables are."""
    value = given("CLAIM_STRATEGY")
    if value is NOTHING or not _all_exist(value):
        return []
    return [message for alias in databases or () if _has_tables(alias) for message in _cannot_run(alias)]


def _all_exist(value: Any) -> bool:
    """Whether what is named exists; else `check_settings` has said so."""
    wanted = value.values() if isinstance(value, Mapping) else [value]
    return not any(_not_a_strategy(one) for one in wanted)


def _has_tables(alias: str) -> bool:
    from .models import Task  # not while apps are loaded

    return bool(router.allow_migrate_model(alias, Task))


def _cannot_run(alias: str) -> Iterator[CheckMessage]:
    try:
        choose(connections[alias], get_settings().strategy_for(alias))
    except StrategyError as error:
        yield Error(str(error), hint=f"Change {PREFIX}CLAIM_STRATEGY.", id=f"{TAG}.E007")
    except DatabaseError:
        pass  # that it cannot be reached is said by whoever needs it


def _aliases() -> list[str]:
    return sorted(connections)
