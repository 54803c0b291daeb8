"""`manage.py task_worker` of django-simple-queue 0.1.10 without its sleep of 3 to 9 s before each task."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import django
from django.core.management import execute_from_command_line

if __name__ == "__main__":
    django.setup()
    from django_simple_queue.management.commands import task_worker

    task_worker.time = SimpleNamespace(sleep=lambda seconds: None)
    execute_from_command_line(sys.argv)
