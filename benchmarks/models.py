"""A table of a project's own, with as many columns as a task has."""

from __future__ import annotations

from django.db import models


class Order(models.Model):  # noqa: DJ008
    status = models.IntegerField(default=0)
    priority = models.IntegerField(default=0)
    tries = models.IntegerField(default=0)
    customer = models.CharField(max_length=80, default="somebody")
    address = models.CharField(max_length=200, default="somewhere in a street of a town")
    note = models.TextField(default="to be delivered in the morning, by the back door")
    price = models.DecimalField(max_digits=10, decimal_places=2, default=0)
    weight = models.FloatField(default=1.5)
    paid = models.BooleanField(default=True)
    created = models.DateTimeField(auto_now_add=True)
    due = models.DateTimeField(null=True)
    sent = models.DateTimeField(null=True)
    fence = models.BigIntegerField(default=0)
    code = models.CharField(max_length=40, default="")

    class Meta:
        app_label = "benchmarks"
        indexes = [models.Index(fields=["status", "priority", "id"], name="benchmarks_order_claim")]
