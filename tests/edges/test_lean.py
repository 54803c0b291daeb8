"""A worker's settings need name nothing but the app itself: what it imports needs no admin, templates or URLs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from django.core.management import call_command
from django.urls import reverse

from django_simple_queue import create_task
from django_simple_queue.models import Task

EDGES = ["admin", "forms", "views", "urls", "status"]
UNWANTED = ["django.contrib.admin", "django.contrib.auth", "django.template", "django.forms", "django.middleware"]
# The modules that a worker, a web process that enqueues and their commands import.
IMPORTS = """
import importlib, json, sys
import django
django.setup()
before = set(sys.modules)
for name in {names!r}:
    importlib.import_module("django_simple_queue" + name)
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def lean(worker_env: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    environment = worker_env | {"DJANGO_SETTINGS_MODULE": "tests.edges.lean_settings"}
    return subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True, timeout=60)


def test_nothing_that_a_worker_imports_needs_the_edges() -> None:
    names = [
        *("", ".api", ".utils", ".models", ".signals", ".checks", ".conf", ".backends", ".testing"),
        *(".worker.fleet", ".worker.supervisor", ".worker.keeper", ".worker.runner", ".worker.executor"),
        ".management.commands.task_worker",
    ]
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.edges.lean_settings",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    code = IMPORTS.format(names=names)
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    imported = json.loads(done.stdout)
    assert "django_simple_queue.worker.runner" in imported
    unwanted = [f"django_simple_queue.{name}" for name in EDGES] + UNWANTED
    assert [name for name in imported if name in unwanted] == []


def test_lean_settings_pass_the_checks_and_run_a_worker(worker_env: dict[str, str]) -> None:
    task_id = create_task("tests.jobs.tasks.echo", {"value": "lean"})
    assert lean(worker_env, "-m", "django", "check").returncode == 0
    done = lean(worker_env, "-m", "django", "task_worker", "--burst")
    assert done.returncode == 0, done.stderr
    task = Task.objects.get(pk=task_id)
    assert (task.status, task.output) == (Task.COMPLETED, "lean")


def test_lean_settings_are_enough_for_the_doctor(worker_env: dict[str, str]) -> None:
    done = lean(worker_env, "-m", "django", "task_doctor", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["databases"]["default"]["strategy"]


@pytest.mark.django_db
def test_the_full_settings_pass_every_check_and_name_the_page_as_0_1_did(settings: Any) -> None:
    settings.SILENCED_SYSTEM_CHECKS = []
    call_command("check", databases=["default"], fail_level="WARNING")
    assert reverse("django_simple_queue:task") == "/django_simple_queue/task"
