"""An order, and what others are to be told of it."""

from django.db import models


class Order(models.Model):
    total = models.IntegerField()

    def __str__(self) -> str:
        return f"order {self.pk}"


class Message(models.Model):
    topic = models.CharField(max_length=50)
    body = models.JSONField()
    status = models.IntegerField(default=0)  # 0 waits, 1 sent, 2 put aside
    claimed_until = models.DateTimeField(null=True)  # the lease: until then it is with one relay
    fence = models.IntegerField(default=0)  # how often it was claimed

    class Meta:
        indexes = [models.Index(fields=["status", "id"], name="shop_message_order")]

    def __str__(self) -> str:
        return f"{self.topic} {self.pk}"
