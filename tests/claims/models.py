"""Tables of a project's own, of every kind that rows are claimed from."""

from __future__ import annotations

import uuid

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
    twice = models.GeneratedField(
        expression=F("status") * 2, output_field=models.IntegerField(), db_persist=True
    )

    class Meta:
        app_label = "claims"


class Heap(models.Model):
    """No index but the primary key's."""

    status = models.IntegerField(default=0)
    place = models.IntegerField(default=0)

    class Meta:
        app_label = "claims"
