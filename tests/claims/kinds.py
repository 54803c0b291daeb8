"""The claims that the machine makes, and what each means for a row, in plain Python."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from django_simple_queue.claims import DbNow

from .models import Child, Line, PairTarget, Target


@dataclasses.dataclass
class Row:
    """A row as its columns should be; `active` and `lines` are what its filter joins."""

    model: Any
    priority: int = 0
    active: bool | None = None
    lines: bool = False
    status: int = 0
    tries: int = 0
    fence: int = 0
    leased: bool = False


@dataclasses.dataclass(frozen=True)
class Kind:
    name: str
    rows: QuerySet[Any]
    updates: dict[str, Any]
    matches: Callable[[Row], bool]
    effect: Callable[[Row], Any]
    order: Callable[[Any, Row], Any] = lambda key, row: key
    refused: str = ""  # "always", or "if found": where nothing proves that claimed rows leave the filter

    @property
    def model(self) -> Any:
        return self.rows.model


def change(row: Row, **given: Any) -> None:
    for name, value in given.items():
        setattr(row, name, value)


_KINDS = [
    Kind(
        "status",
        Target.objects.filter(status=0).order_by("priority", "id"),
        {"status": 1},
        lambda row: row.status == 0,
        lambda row: change(row, status=1),
        lambda key, row: (row.priority, key),
    ),
    Kind(
        "status in words, with an expression",
        Target.objects.filter(~Q(status__gt=0)).order_by("-id"),
        {"status": 1, "tries": F("tries") + 1},
        lambda row: row.status == 0,
        lambda row: change(row, status=1, tries=row.tries + 1),
        lambda key, row: -key,
    ),
    Kind(
        "join",
        Target.objects.filter(status=0, campaign__active=True).order_by("campaign__rank", "-id"),
        {"status": 1, "tries": F("tries") + 1},
        lambda row: row.status == 0 and row.active is True,
        lambda row: change(row, status=1, tries=row.tries + 1),
        lambda key, row: -key,
    ),
    Kind(
        "exists",
        Target.objects.filter(Exists(Line.objects.filter(target=OuterRef("pk"), done=False)), status=0).order_by("id"),
        {"status": 1},
        lambda row: row.status == 0 and row.lines,
        lambda row: change(row, status=1),
    ),
    Kind(
        "lease column",
        Target.objects.filter(Q(lease_until=None) | Q(lease_until__lt=DbNow()), status__lt=2).order_by("id"),
        {"lease_until": DbNow() + timedelta(minutes=5), "fence": F("fence") + 1},
        lambda row: not row.leased and row.status < 2,
        lambda row: change(row, leased=True, fence=row.fence + 1),
    ),
    Kind(
        "composite key",
        PairTarget.objects.filter(status=0),
        {"status": 1},
        lambda row: row.status == 0,
        lambda row: change(row, status=1),
    ),
    Kind(
        "inherited",
        Child.objects.filter(sent=False).order_by("pk"),
        {"sent": True},
        lambda row: row.status == 0,
        lambda row: change(row, status=1),
    ),
    Kind(
        "stays inside",
        Target.objects.filter(status__lt=2).order_by("id"),
        {"status": 1},
        lambda row: row.status < 2,
        lambda row: None,
        refused="if found",
    ),
    Kind(
        "only the join decides",
        Target.objects.filter(campaign__active=True).order_by("id"),
        {"status": 1},
        lambda row: row.active is True,
        lambda row: None,
        refused="always",
    ),
]

KINDS = {kind.name: kind for kind in _KINDS}
