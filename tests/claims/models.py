"""Tables of a project's own, of every kind that rows are claimed from."""

# ruff: noqa: DJ008

from __future__ import annotations

import uuid
from typing import Any

from django.contrib.contenttypes.fields import GenericForeignKey, GenericRelation
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.db.models import F


class Campaign(models.Model):
    active = models.BooleanField(default=True)
    rank = models.IntegerField(default=0)

    class Meta:
        app_label = "claims"


class Target(models.Model):
    """Something to be done, in the order of priority and id."""

    campaign = models.ForeignKey(Campaign, models.CASCADE, null=True)
    status = models.IntegerField(default=0)
    priority = models.IntegerField(default=0)
    tries = models.IntegerField(default=0)
    label = models.CharField(max_length=40, default="", blank=True)
    data = models.JSONField(default=dict)
    price = models.DecimalField(max_digits=8, decimal_places=2, default=0)
    lease_until = models.DateTimeField(null=True)
    fence = models.IntegerField(default=0)
    claimer = models.IntegerField(null=True)

    class Meta:
        app_label = "claims"
        indexes = [models.Index(fields=["status", "priority", "id"], name="claims_target_order")]


class Line(models.Model):
    target = models.ForeignKey(Target, models.CASCADE)
    done = models.BooleanField(default=False)

    class Meta:
        app_label = "claims"


class UuidTarget(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    status = models.IntegerField(default=0)

    class Meta:
        app_label = "claims"
        ordering = ["id"]


class PairTarget(models.Model):
    pk = models.CompositePrimaryKey("tenant", "number")
    tenant = models.IntegerField()
    number = models.IntegerField()
    status = models.IntegerField(default=0)

    class Meta:
        app_label = "claims"
        ordering = ["tenant", "number"]


class OddTarget(models.Model):
    """Names that have to be quoted."""

    number = models.AutoField(primary_key=True, db_column="select")
    status = models.IntegerField(default=0, db_column="order by")

    class Meta:
        app_label = "claims"
        db_table = "claims odd"


class Base(models.Model):
    status = models.IntegerField(default=0)

    class Meta:
        app_label = "claims"


class Child(Base):
    sent = models.BooleanField(default=False)

    class Meta:
        app_label = "claims"


class Computed(models.Model):
    status = models.IntegerField(default=0)
    twice = models.GeneratedField(expression=F("status") * 2, output_field=models.IntegerField(), db_persist=True)

    class Meta:
        app_label = "claims"


class Heap(models.Model):
    """No index but the primary key's."""

    status = models.IntegerField(default=0)
    place = models.IntegerField(default=0)

    class Meta:
        app_label = "claims"


class TargetProxy(Target):
    class Meta:
        app_label = "claims"
        proxy = True
        ordering = ["-priority"]


class Word(models.Model):
    """A primary key of text, not in the order in which it is claimed."""

    word = models.CharField(max_length=20, primary_key=True)
    place = models.IntegerField()
    status = models.CharField(max_length=20, default="new")

    class Meta:
        app_label = "claims"
        ordering = ["-place"]


class Backwards(models.CharField):  # type: ignore[type-arg]
    """Text that is stored from its end to its start."""

    def get_prep_value(self, value: Any) -> Any:
        return value if value is None else str(value)[::-1]

    def from_db_value(self, value: Any, *_: Any) -> Any:
        return value if value is None else value[::-1]


class Tens(models.IntegerField):  # type: ignore[type-arg]
    """Stored without the last digit, so that several values are one."""

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        value = super().get_db_prep_value(value, connection, prepared)
        return value if value is None else value // 10


class Shelf(models.Model):
    number = Tens(primary_key=True)

    class Meta:
        app_label = "claims"


class Stamped(models.Model):
    """What save() would do to a row, and values that are not stored as they are given."""

    status = models.IntegerField(default=0)
    secret = Backwards(max_length=20, default="")
    changed = models.DateTimeField(auto_now=True)
    day = models.DateField(null=True)
    took = models.DurationField(null=True)
    share = models.FloatField(null=True)
    token = models.UUIDField(null=True)
    by = models.ForeignKey(Word, models.SET_NULL, null=True)
    tens = Tens(default=0)
    shelf = models.ForeignKey(Shelf, models.SET_NULL, null=True)

    class Meta:
        app_label = "claims"


class Note(models.Model):
    """Ordered by what there may be many of."""

    status = models.IntegerField(default=0)

    class Meta:
        app_label = "claims"
        ordering = ["remark__text"]


class Remark(models.Model):
    note = models.ForeignKey(Note, models.CASCADE)
    text = models.CharField(max_length=20)

    class Meta:
        app_label = "claims"


class Host(models.Model):
    """A primary key of a type that PostgreSQL compares with no text."""

    address = models.GenericIPAddressField(primary_key=True)
    status = models.IntegerField(default=0)

    class Meta:
        app_label = "claims"


class Sticker(models.Model):
    content_type = models.ForeignKey(ContentType, models.CASCADE, db_constraint=False)  # made after this table
    object_id = models.IntegerField()
    on = GenericForeignKey()

    class Meta:
        app_label = "claims"


class Post(models.Model):
    """What a filter may join many rows by."""

    status = models.IntegerField(default=0)
    topics = models.ManyToManyField(Campaign)
    stickers = GenericRelation(Sticker)

    class Meta:
        app_label = "claims"
