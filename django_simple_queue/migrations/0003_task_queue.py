from django.db import migrations, models

import django_simple_queue.models
from django_simple_queue.backends.schema import UpgradeSchema


class Migration(migrations.Migration):
    dependencies = [
        ("django_simple_queue", "0002_task_error_task_log_task_worker_pid"),
    ]

    operations = [
        # The database's side is one operation of ours: Django's would copy the table again and again.
        UpgradeSchema(
            state_operations=[
                migrations.CreateModel(
                    name="Attempt",
                    fields=[
                        ("id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("task_id", models.UUIDField(db_index=True, verbose_name="Task")),
                        ("number", models.IntegerField(verbose_name="Number")),
                        ("worker", models.CharField(blank=True, default="", max_length=128, verbose_name="Worker")),
                        ("started_at", models.DateTimeField(null=True, verbose_name="Started")),
                        ("ended_at", models.DateTimeField(verbose_name="Ended")),
                        ("kind", models.CharField(max_length=16, verbose_name="Kind")),
                        ("error", models.TextField(blank=True, default="", verbose_name="Error")),
                    ],
                    options={
                        "verbose_name": "Attempt",
                        "verbose_name_plural": "Attempts",
                    },
                ),
                migrations.CreateModel(
                    name="Worker",
                    fields=[
                        ("id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("name", models.CharField(max_length=128, verbose_name="Name")),
                        ("host", models.CharField(max_length=255, verbose_name="Host")),
                        ("pid", models.IntegerField(verbose_name="PID")),
                        (
                            "state",
                            models.SmallIntegerField(
                                choices=[(0, "Alive"), (1, "Dead")], default=0, verbose_name="State"
                            ),
                        ),
                        ("idle", models.BooleanField(default=False, verbose_name="Idle")),
                        ("beats", models.BigIntegerField(default=0, verbose_name="Beats")),
                        ("beat_at", models.DateTimeField(verbose_name="Last beat")),
                        ("started_at", models.DateTimeField(verbose_name="Started")),
                        ("runs", models.TextField(blank=True, default="", verbose_name="Runs with")),
                    ],
                    options={
                        "verbose_name": "Worker",
                        "verbose_name_plural": "Workers",
                    },
                ),
                migrations.AddField(
                    model_name="task",
                    name="attempt",
                    field=models.IntegerField(db_default=0, default=0, editable=False, verbose_name="Failed attempts"),
                ),
                migrations.AddField(
                    model_name="task",
                    name="cancel_requested",
                    field=models.BooleanField(
                        db_default=False, default=False, editable=False, verbose_name="Cancel requested"
                    ),
                ),
                migrations.AddField(
                    model_name="task",
                    name="expires",
                    field=models.DateTimeField(blank=True, null=True, verbose_name="Expires"),
                ),
                migrations.AddField(
                    model_name="task",
                    name="finished_at",
                    field=models.DateTimeField(blank=True, editable=False, null=True, verbose_name="Finished"),
                ),
                migrations.AddField(
                    model_name="task",
                    name="holder",
                    field=models.BigIntegerField(blank=True, editable=False, null=True, verbose_name="Holder"),
                ),
                migrations.AddField(
                    model_name="task",
                    name="losses",
                    field=models.IntegerField(db_default=0, default=0, editable=False, verbose_name="Losses"),
                ),
                migrations.AddField(
                    model_name="task",
                    name="max_attempts",
                    field=models.IntegerField(blank=True, null=True, verbose_name="Max attempts"),
                ),
                migrations.AddField(
                    model_name="task",
                    name="queue",
                    field=models.CharField(
                        db_default="default", default="default", max_length=100, verbose_name="Queue"
                    ),
                ),
                migrations.AddField(
                    model_name="task",
                    name="rank",
                    field=models.SmallIntegerField(
                        db_default=0, default=0, help_text="Lower runs first.", verbose_name="Rank"
                    ),
                ),
                migrations.AddField(
                    model_name="task",
                    name="run_after",
                    field=models.DateTimeField(blank=True, null=True, verbose_name="Run after"),
                ),
                migrations.AddField(
                    model_name="task",
                    name="seq",
                    field=models.BigIntegerField(
                        db_default=0,
                        default=django_simple_queue.models.next_seq,
                        editable=False,
                        verbose_name="Order of arrival",
                    ),
                ),
                migrations.AddField(
                    model_name="task",
                    name="started_at",
                    field=models.DateTimeField(blank=True, editable=False, null=True, verbose_name="Started"),
                ),
                migrations.AddField(
                    model_name="task",
                    name="timeout",
                    field=models.FloatField(blank=True, help_text="Seconds", null=True, verbose_name="Timeout"),
                ),
                migrations.AddField(
                    model_name="task",
                    name="unique_key",
                    field=models.CharField(blank=True, max_length=255, null=True, verbose_name="Unique key"),
                ),
                migrations.AddField(
                    model_name="task",
                    name="unique_slot",
                    field=models.CharField(blank=True, editable=False, max_length=64, null=True),
                ),
                migrations.AddField(
                    model_name="task",
                    name="worker",
                    field=models.CharField(
                        blank=True, editable=False, max_length=128, null=True, verbose_name="Worker"
                    ),
                ),
                migrations.AlterField(
                    model_name="task",
                    name="status",
                    field=models.IntegerField(
                        choices=[
                            (0, "Queued"),
                            (1, "In progress"),
                            (2, "Completed"),
                            (3, "Failed"),
                            (4, "Cancelled"),
                            (5, "Scheduled"),
                        ],
                        default=0,
                        verbose_name="Status",
                    ),
                ),
                migrations.AlterField(
                    model_name="task",
                    name="task",
                    field=models.CharField(
                        help_text="Name of the function to be called.", max_length=255, verbose_name="Task"
                    ),
                ),
            ]
        ),
    ]
