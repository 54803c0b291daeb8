"""The rows. Who may change what in them is said in docs/decisions/0002-states.md; `queue` does it."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Collection, Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from . import states

HOLDERS_OWN = ("holder", "attempt", "losses", "worker", "started_at", "finished_at", "cancel_requested", "unique_slot")
# What a person's save() of a row that exists never writes.
NEVER_SAVED = frozenset(("id", "created", *HOLDERS_OWN))
_last_seq = 0
_seq_lock = threading.Lock()


def next_seq() -> int:
    """Order of arrival: microseconds since 1970, counted up where one process makes several at once."""
    global _last_seq
    with _seq_lock:
        _last_seq = max(_last_seq + 1, time.time_ns() // 1000)
        return _last_seq


class Task(models.Model):
    """One piece of work: a callable's name, its arguments, and how far it has come."""

    QUEUED = states.QUEUED
    PROGRESS = states.PROGRESS
    COMPLETED = states.COMPLETED
    FAILED = states.FAILED
    CANCELLED = states.CANCELLED
    SCHEDULED = states.SCHEDULED

    STATUS_CHOICES = (
        (QUEUED, _("Queued")),
        (PROGRESS, _("In progress")),
        (COMPLETED, _("Completed")),
        (FAILED, _("Failed")),
        (CANCELLED, _("Cancelled")),
        (SCHEDULED, _("Scheduled")),
    )

    id = models.UUIDField(_("ID"), primary_key=True, default=uuid.uuid4, editable=False)
    created = models.DateTimeField(_("Created"), auto_now_add=True)
    modified = models.DateTimeField(_("Modified"), auto_now=True)
    task = models.CharField(_("Task"), max_length=255, help_text="Name of the function to be called.")
    args = models.TextField(_("Arguments"), null=True, blank=True, help_text="Arguments in JSON format")
    status = models.IntegerField(_("Status"), default=QUEUED, choices=STATUS_CHOICES)
    output = models.TextField(_("Output"), null=True, blank=True)
    error = models.TextField(_("Error"), null=True, blank=True)
    log = models.TextField(_("Log"), null=True, blank=True)
    # Left NULL: a 0.1.x worker beside this one would mark a row FAILED whose process is none on its own host.
    worker_pid = models.IntegerField(_("Worker PID"), null=True, blank=True)

    # Each of these is NULL-able or has a constant database default, so that 0.1.x code can go on inserting.
    queue = models.CharField(_("Queue"), max_length=100, db_default="default", default="default")
    rank = models.SmallIntegerField(_("Rank"), db_default=0, default=0, help_text="Lower runs first.")
    seq = models.BigIntegerField(_("Order of arrival"), db_default=0, default=next_seq, editable=False)
    run_after = models.DateTimeField(_("Run after"), null=True, blank=True)
    expires = models.DateTimeField(_("Expires"), null=True, blank=True)
    # The number of the claim that holds the task; NULL: nobody does. The only proof of a claim.
    holder = models.BigIntegerField(_("Holder"), null=True, blank=True, editable=False)
    attempt = models.IntegerField(_("Failed attempts"), db_default=0, default=0, editable=False)
    losses = models.IntegerField(_("Losses"), db_default=0, default=0, editable=False)
    max_attempts = models.IntegerField(_("Max attempts"), null=True, blank=True)
    timeout = models.FloatField(_("Timeout"), null=True, blank=True, help_text="Seconds")
    unique_key = models.CharField(_("Unique key"), max_length=255, null=True, blank=True)
    # SHA-256 of the key while the task is unfinished, else NULL. Its unique index is made by 0003.
    unique_slot = models.CharField(max_length=64, null=True, blank=True, editable=False)
    cancel_requested = models.BooleanField(_("Cancel requested"), db_default=False, default=False, editable=False)
    started_at = models.DateTimeField(_("Started"), null=True, blank=True, editable=False)
    finished_at = models.DateTimeField(_("Finished"), null=True, blank=True, editable=False)
    # Who ran it last: history, never proof.
    worker = models.CharField(_("Worker"), max_length=128, null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("Task")
        verbose_name_plural = _("Tasks")

    _as_read: dict[str, Any] = {}

    def __str__(self) -> str:
        return str(self.id)

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert the task; or write what was changed on this instance since it was read, and nothing a holder owns."""
        if kwargs.get("force_insert") or (self._state.adding and not kwargs.get("force_update")):
            super().save(*args, **kwargs)
            self._remember()
        elif names := self._changed(kwargs.pop("update_fields", None)):
            names.add("modified")
            super().save(*args, **kwargs, update_fields=names)
            self._remember(names)

    @property
    def priority(self) -> int:
        """-100..100, higher first."""
        return -self.rank

    @priority.setter
    def priority(self, value: int) -> None:
        self.rank = -value

    @property
    def as_dict(self) -> dict[str, Any]:
        """The task as 0.1.x shows it: dates as text, status as its label."""
        return {
            "id": str(self.id),
            "created": str(self.created),
            "modified": str(self.modified),
            "task": self.task,
            "args": self.args,
            "status": self.get_status_display(),
            "output": self.output,
            "worker_pid": self.worker_pid,
            "error": self.error,
            "log": self.log,
        }

    @classmethod
    def from_db(cls, db: str | None, field_names: Collection[str], values: Any, **more: Any) -> Task:
        task = super().from_db(db, field_names, values, **more)
        task._remember()
        return task

    def refresh_from_db(
        self, using: str | None = None, fields: Iterable[str] | None = None, *more: Any, **kw: Any
    ) -> None:
        names = None if fields is None else list(fields)
        super().refresh_from_db(using, names, *more, **kw)
        self._remember(names)

    def _changed(self, wanted: Iterable[str] | None) -> set[str]:
        """Names of the fields that save() may write and that differ from what was read. A new QUEUED renews `seq`."""
        now, read = self._values(), self._as_read
        names = {n for n, value in now.items() if n not in NEVER_SAVED and (n not in read or read[n] != value)}
        if wanted is not None:
            names &= set(wanted)
        if "status" in names and self.status == states.PROGRESS:
            names.discard("status")
        if "status" in names and self.status == states.QUEUED:
            self.seq = next_seq()
            names.add("seq")
        return names - {"modified"}

    def _remember(self, names: Iterable[str] | None = None) -> None:
        """What the database has now of the fields named, or of all."""
        values = self._values()
        self._as_read = values if names is None else self._as_read | {name: values[name] for name in names}

    def _values(self) -> dict[str, Any]:
        deferred = self.get_deferred_fields()
        return {f.attname: getattr(self, f.attname) for f in self._meta.concrete_fields if f.attname not in deferred}

    # Checks that 0.1.x offers to callers; Django itself does not call them.

    @staticmethod
    def _callable_task(task: str) -> Any:
        from .callables import resolve

        return resolve(task).call

    def clean_task(self) -> None:
        """Raise ValidationError under "task" unless its callable can be imported and is allowed."""
        try:
            self._callable_task(self.task)
        except Exception as error:
            message = ValidationError(_("Invalid callable: %(error)s"), code="invalid", params={"error": str(error)})
            raise ValidationError({"task": message}) from error

    def clean_args(self) -> None:
        """Raise ValidationError under "args" unless they are empty or JSON."""
        if self.args in (None, ""):
            return
        try:
            json.loads(self.args)
        except (TypeError, ValueError) as error:
            message = ValidationError(_("Invalid JSON: %(error)s"), code="invalid", params={"error": str(error)})
            raise ValidationError({"args": message}) from error


class Worker(models.Model):
    """One `task_worker` as long as it lives, and after it until nothing is held under its id."""

    ALIVE = 0
    DEAD = 1

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(_("Name"), max_length=128)
    host = models.CharField(_("Host"), max_length=255)
    pid = models.IntegerField(_("PID"))
    state = models.SmallIntegerField(_("State"), choices=((ALIVE, _("Alive")), (DEAD, _("Dead"))), default=ALIVE)
    idle = models.BooleanField(_("Idle"), default=False)
    beats = models.BigIntegerField(_("Beats"), default=0)
    beat_at = models.DateTimeField(_("Last beat"))
    started_at = models.DateTimeField(_("Started"))
    runs = models.TextField(_("Runs with"), blank=True, default="")

    class Meta:
        verbose_name = _("Worker")
        verbose_name_plural = _("Workers")

    def __str__(self) -> str:
        return self.name


class Lease(models.Model):
    """Who may do something that one process does at a time. A row is never deleted, so that its fence only grows."""

    name = models.CharField(_("Name"), max_length=190, primary_key=True)
    owner = models.CharField(_("Owner"), max_length=32, null=True)
    fence = models.BigIntegerField(_("Fence"), default=0)
    expires_at = models.DateTimeField(_("Expires"), null=True)

    class Meta:
        verbose_name = _("Lease")
        verbose_name_plural = _("Leases")

    def __str__(self) -> str:
        return self.name


class Attempt(models.Model):
    """A run that failed or was lost; good ones leave none."""

    id = models.BigAutoField(primary_key=True)
    # No foreign key, so that deleting a million tasks does not look each one up here.
    task_id = models.UUIDField(_("Task"), db_index=True)
    number = models.IntegerField(_("Number"))
    worker = models.CharField(_("Worker"), max_length=128, blank=True, default="")
    started_at = models.DateTimeField(_("Started"), null=True)
    ended_at = models.DateTimeField(_("Ended"))
    kind = models.CharField(_("Kind"), max_length=16)
    error = models.TextField(_("Error"), blank=True, default="")

    class Meta:
        verbose_name = _("Attempt")
        verbose_name_plural = _("Attempts")

    def __str__(self) -> str:
        return f"{self.task_id} #{self.number}"
