"""The status page: who may see it, what it says, and that nothing in it acts."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.utils import timezone

from django_simple_queue.models import Attempt, Task, Worker
from django_simple_queue.records import HOLDERS_PER_WORKER
from django_simple_queue.views import view_task_status

URL = "/django_simple_queue/task"
pytestmark = pytest.mark.django_db


@pytest.fixture
def task(db: None) -> Task:
    return Task.objects.create(task="tests.jobs.tasks.echo", args='{"value": "what only staff may read"}')


def page(client: Client, task: Task, **query: Any) -> Any:
    return client.get(URL, {"task_id": str(task.pk), **query})


def text(response: Any) -> str:
    return response.content.decode()


class Owner:
    """A project's own rule: whoever sends the right header."""

    def __call__(self, request: HttpRequest, task: Task) -> bool:
        return request.headers.get("Owner-Of") == task.task


owner_only = Owner()


# Who may see it


def test_staff_sees_it(staff: Client, task: Task) -> None:
    response = page(staff, task)
    assert response.status_code == 200
    assert response.context["task"] == task
    assert "django_simple_queue/task_status.html" in [template.name for template in response.templates]
    assert "what only staff may read" in text(response)


@pytest.mark.parametrize("kind", ["html", "json"])
def test_nobody_else_does(anonymous: Client, user: Client, task: Task, kind: str) -> None:
    for client in (anonymous, user):
        response = page(client, task, type=kind)
        assert response.status_code == 403
        assert "what only staff may read" not in text(response)


def test_who_may_not_see_it_does_not_learn_whether_it_exists(anonymous: Client, task: Task) -> None:
    known = page(anonymous, task)
    for given in (str(uuid.uuid4()), "nonsense", ""):
        unknown = anonymous.get(URL, {"task_id": given})
        assert (unknown.status_code, unknown.content) == (known.status_code, known.content)


def test_a_member_of_staff_who_was_deactivated_sees_nothing(task: Task, rf: RequestFactory) -> None:
    request = rf.get(URL, {"task_id": str(task.pk)})
    request.user = type("User", (), {"is_active": False, "is_staff": True})()  # type: ignore[assignment]
    assert view_task_status(request).status_code == 403


def test_without_authentication_middleware_nobody_is_staff(task: Task, rf: RequestFactory) -> None:
    assert view_task_status(rf.get(URL, {"task_id": str(task.pk)})).status_code == 403


def test_public_shows_it_to_all(anonymous: Client, task: Task, settings: Any) -> None:
    settings.DJANGO_SIMPLE_QUEUE_STATUS_ACCESS = "public"
    assert page(anonymous, task).status_code == 200
    assert page(anonymous, task, type="json").status_code == 200
    assert anonymous.get(URL, {"task_id": str(uuid.uuid4())}).status_code == 400


@pytest.mark.parametrize("access", [owner_only, f"{__name__}.owner_only"])
def test_a_function_decides_for_each_request_and_task(
    anonymous: Client, staff: Client, task: Task, settings: Any, access: Any
) -> None:
    settings.DJANGO_SIMPLE_QUEUE_STATUS_ACCESS = access
    query = {"task_id": str(task.pk)}
    assert anonymous.get(URL, query, headers={"Owner-Of": task.task}).status_code == 200
    assert anonymous.get(URL, query).status_code == 403
    assert staff.get(URL, query).status_code == 403
    # Being refused and not being there look alike.
    assert anonymous.get(URL, {"task_id": str(uuid.uuid4())}).status_code == 403
    assert staff.get(URL, {"task_id": str(uuid.uuid4())}).status_code == 400


@pytest.mark.parametrize("access", ["everybody", "os.nothing", "", None, 7, "tests.jobs.tasks.not_callable"])
def test_a_setting_that_says_nothing_lets_nobody_in(staff: Client, task: Task, settings: Any, access: Any) -> None:
    settings.DJANGO_SIMPLE_QUEUE_STATUS_ACCESS = access
    staff.raise_request_exception = False
    response = page(staff, task)
    assert response.status_code == 500
    assert "what only staff may read" not in text(response)


# What is asked for


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ({}, "Missing task_id parameter."),
        ({"task_id": ""}, "Missing task_id parameter."),
        ({"task_id": "zzz"}, "Invalid task_id format."),
        ({"task_id": "\0"}, "Invalid task_id format."),
        ({"task_id": "1" * 10_000}, "Invalid task_id format."),
        ({"task_id": "00000000-0000-4000-8000-000000000000"}, "Task not found."),
    ],
)
@pytest.mark.parametrize("kind", ["html", "json"])
def test_a_bad_id_is_a_bad_request(staff: Client, query: dict[str, str], answer: str, kind: str) -> None:
    response = staff.get(URL, {**query, "type": kind})
    assert (response.status_code, text(response)) == (400, answer)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "HEAD"])
def test_any_method_reads(staff: Client, task: Task, method: str) -> None:
    response = staff.generic(method, f"{URL}?task_id={task.pk}")
    assert response.status_code == 200
    assert Task.objects.get() == task


def test_json_is_as_dict(staff: Client, task: Task) -> None:
    response = page(staff, task, type="json")
    assert response["Content-Type"] == "application/json"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert json.loads(text(response)) == Task.objects.get().as_dict
    assert json.loads(text(response))["status"] == "Queued"


@pytest.mark.parametrize("query", [{"type": "html"}, {"type": "json"}, {"task_id": "zzz"}])
def test_nothing_of_it_is_cached(staff: Client, anonymous: Client, task: Task, query: dict[str, str]) -> None:
    for client in (staff, anonymous):
        response = client.get(URL, {"task_id": str(task.pk), **query})
        assert "no-store" in response["Cache-Control"]


# What it says

HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(2)>",
    "</pre><script>alert(3)</script>",
    "\" onload='x'",
)


@pytest.mark.parametrize("field", ["task", "args", "output", "error", "log", "queue", "worker", "unique_key"])
@pytest.mark.parametrize("hostile", HOSTILE)
def test_everything_is_escaped(staff: Client, field: str, hostile: str) -> None:
    task = Task.objects.create(**{"task": "tests.jobs.tasks.echo", "status": Task.COMPLETED, field: hostile})
    Attempt.objects.create(
        task_id=task.pk, number=1, ended_at=timezone.now(), kind="error", error=hostile, worker=hostile
    )
    shown = text(page(staff, task))
    assert hostile not in shown
    assert "<script" not in shown
    assert "&lt;script" in shown or "&lt;img" in shown or "&quot; onload" in shown


def test_there_is_no_script_and_no_style_outside_the_one_that_a_nonce_admits(staff: Client, task: Task) -> None:
    shown = text(page(staff, task))
    assert "<script" not in shown
    assert "style=" not in shown
    assert shown.count("<style") == shown.count('<style nonce="') == 1


@pytest.mark.parametrize(
    ("status", "holder", "refreshes"),
    [
        (Task.QUEUED, None, True),
        (Task.SCHEDULED, None, True),
        (Task.PROGRESS, 7 * HOLDERS_PER_WORKER, True),
        (Task.CANCELLED, 7 * HOLDERS_PER_WORKER, True),
        (Task.COMPLETED, None, False),
        (Task.FAILED, None, False),
        (Task.CANCELLED, None, False),
    ],
)
def test_it_looks_again_until_nothing_will_change(
    staff: Client, status: int, holder: int | None, refreshes: bool
) -> None:
    task = Task.objects.create(task="tests.jobs.tasks.noop", status=status, holder=holder)
    assert ('http-equiv="refresh"' in text(page(staff, task))) is refreshes


def worker(state: int = Worker.ALIVE) -> Worker:
    now = timezone.now()
    return Worker.objects.create(name="bee-1", host="hive", pid=1, state=state, beat_at=now, started_at=now)


@pytest.mark.parametrize(
    ("status", "cancel_requested", "answer"),
    [
        (Task.PROGRESS, False, "Worker bee-1<"),
        (Task.PROGRESS, True, "Worker bee-1 (asked to cancel)"),
        (Task.QUEUED, False, "Worker bee-1 (runs once more afterwards)"),
        (Task.CANCELLED, False, "Worker bee-1 (still running)"),
    ],
)
def test_it_says_who_holds_the_task(staff: Client, status: int, cancel_requested: bool, answer: str) -> None:
    task = Task.objects.create(
        task="tests.jobs.tasks.noop",
        status=status,
        holder=worker().pk * HOLDERS_PER_WORKER + 5,
        cancel_requested=cancel_requested,
    )
    assert answer in text(page(staff, task))


def test_it_says_that_the_holder_is_dead_or_gone(staff: Client) -> None:
    dead = worker(Worker.DEAD)
    of_dead = Task.objects.create(task="t.t", status=Task.PROGRESS, holder=dead.pk * HOLDERS_PER_WORKER)
    of_gone = Task.objects.create(task="t.t", status=Task.PROGRESS, holder=(dead.pk + 1) * HOLDERS_PER_WORKER)
    of_old = Task.objects.create(task="t.t", status=Task.PROGRESS)
    assert "bee-1, which is dead" in text(page(staff, of_dead))
    assert "A worker that is gone" in text(page(staff, of_gone))
    assert "version 0.1 left it in progress" in text(page(staff, of_old))


def test_it_shows_queue_priority_times_and_failed_runs(staff: Client) -> None:
    now = timezone.now()
    task = Task.objects.create(
        task="tests.jobs.tasks.fail", queue="letters", rank=-7, run_after=now + timedelta(days=1), worker="bee-9"
    )
    for number in (1, 2):
        Attempt.objects.create(
            task_id=task.pk, number=number, ended_at=now, kind="error", error=f"ValueError({number})"
        )
    Attempt.objects.create(task_id=uuid.uuid4(), number=3, ended_at=now, kind="error", error="somebody else's")
    shown = text(page(staff, task))
    for expected in ("letters", ">7<", "bee-9", "Run after", "Failed and lost runs"):
        assert expected in shown
    assert shown.index("ValueError(1)") < shown.index("ValueError(2)")
    assert "somebody else" not in shown


def test_a_row_of_0_1_without_arguments_has_a_page(staff: Client) -> None:
    task = Task.objects.create(task="", args=None, status=Task.COMPLETED)
    shown = text(page(staff, task))
    assert "None" not in shown
