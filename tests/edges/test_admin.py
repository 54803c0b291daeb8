"""The admin: tasks are added with create_task's checks, read, and acted upon through the queue."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from django_simple_queue import create_task
from django_simple_queue.admin import TaskAdmin
from django_simple_queue.models import Attempt, Task, Worker

LIST = "/admin/django_simple_queue/task/"
ADD = LIST + "add/"
pytestmark = pytest.mark.django_db


def change_page(task: Task) -> str:
    return f"{LIST}{task.pk}/change/"


def make(**values: Any) -> Task:
    return Task.objects.create(**{"task": "tests.jobs.tasks.noop", "args": "{}", **values})


def act(client: Client, action: str, *tasks: Task) -> list[str]:
    """Run an action of the list; what the page then says."""
    data = {"action": action, "_selected_action": [str(task.pk) for task in tasks]}
    response = client.post(LIST, data, follow=True)
    assert response.status_code == 200
    return [str(message) for message in response.context["messages"]]


def errors(response: Any) -> dict[str, list[str]]:
    return dict(response.context["adminform"].form.errors)


# As 0.1.x has it


def test_what_projects_build_on_is_there() -> None:
    assert isinstance(admin.site.get_model_admin(Task), TaskAdmin)
    assert TaskAdmin.ordering == ["-modified"]
    assert isinstance(TaskAdmin.list_display, tuple)
    assert isinstance(TaskAdmin.list_filter, tuple)
    assert isinstance(TaskAdmin.actions, list)
    assert {"id", "created", "modified", "task", "status_page_link"} <= {*TaskAdmin.list_display}
    assert {"status", "created", "modified"} <= {*TaskAdmin.list_filter}
    assert "enqueue_tasks" in TaskAdmin.actions
    assert TaskAdmin.status_page_link.short_description == "Status"  # type: ignore[attr-defined]


def test_the_list_links_each_task_to_its_status_page(superuser: Client) -> None:
    task = make(status=Task.FAILED)
    shown = superuser.get(LIST).content.decode()
    url = f"{reverse('django_simple_queue:task')}?task_id={task.pk}"
    assert re.search(rf'<a href="{re.escape(url)}"[^>]*>Failed</a>', shown)


@pytest.mark.urls("tests.edges.urls_without_status_page")
def test_the_list_works_where_the_project_has_no_status_page(superuser: Client) -> None:
    make(status=Task.FAILED)
    response = superuser.get(LIST)
    assert response.status_code == 200
    assert "Failed" in response.content.decode()


@pytest.mark.parametrize(("count", "said"), [(1, "1 task was"), (3, "3 tasks were")])
def test_enqueue_makes_tasks_queued_and_counts_them(superuser: Client, count: int, said: str) -> None:
    tasks = [make(status=status) for status in (Task.FAILED, Task.COMPLETED, Task.PROGRESS)[:count]]
    before = {task.pk: task.seq for task in tasks}
    untouched = make(status=Task.FAILED)
    assert act(superuser, "enqueue_tasks", *tasks) == [f"{said} successfully enqueued."]
    assert {task.pk: task.seq for task in Task.objects.filter(status=Task.QUEUED)} == before
    untouched.refresh_from_db()
    assert untouched.status == Task.FAILED


def test_enqueue_of_a_task_that_runs_leaves_it_with_its_holder(superuser: Client) -> None:
    task = make(status=Task.PROGRESS, holder=2**32 + 1)
    act(superuser, "enqueue_tasks", task)
    task.refresh_from_db()
    assert (task.status, task.holder) == (Task.QUEUED, 2**32 + 1)


# The Add form


def test_the_add_form_still_has_its_fields_after_a_change_page_was_opened(superuser: Client) -> None:
    assert superuser.get(change_page(make())).status_code == 200
    shown = superuser.get(ADD).content.decode()
    for name in ("task", "args", "status", "output", "queue", "priority", "run_after_0"):
        assert f'name="{name}"' in shown


def test_what_the_form_of_0_1_posted_is_still_accepted(superuser: Client) -> None:
    data = {"task": "tests.jobs.tasks.echo", "args": '{"value": 1}', "status": "0", "output": ""}
    assert superuser.post(ADD, data).status_code == 302
    task = Task.objects.get()
    assert (task.task, task.args, task.status, task.queue, task.rank) == (data["task"], data["args"], 0, "default", 0)
    assert task.seq


def test_only_the_callable_is_needed(superuser: Client) -> None:
    assert superuser.post(ADD, {"task": "tests.jobs.tasks.noop"}).status_code == 302
    task = Task.objects.get()
    assert (task.args, task.status, task.output, task.unique_key) == ("{}", Task.QUEUED, None, None)


def test_every_argument_of_create_task_can_be_given(superuser: Client) -> None:
    data = {
        "task": "tests.jobs.tasks.noop",
        "args": "",
        "queue": "letters",
        "priority": "9",
        "run_after_0": "2999-01-02",
        "run_after_1": "03:04:05",
        "max_attempts": "3",
        "timeout": "1.5",
        "unique_key": "only one",
    }
    assert superuser.post(ADD, data).status_code == 302
    task = Task.objects.get()
    assert (task.queue, task.priority, task.status) == ("letters", 9, Task.SCHEDULED)
    assert (task.max_attempts, task.timeout, task.unique_key) == (3, 1.5, "only one")
    assert task.run_after is not None
    assert task.run_after.year == 2999
    assert task.unique_slot


def test_a_second_task_with_a_unique_key_is_not_added(superuser: Client) -> None:
    first = create_task("tests.jobs.tasks.noop", unique_key="only one")
    response = superuser.post(ADD, {"task": "tests.jobs.tasks.noop", "unique_key": "only one"})
    assert response.status_code == 200
    assert str(first) in errors(response)["unique_key"][0]
    assert Task.objects.count() == 1


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"task": ""}, "task"),
        ({"task": "noop"}, "task"),
        ({"task": "os.system"}, "task"),
        ({"task": "tests.jobs.tasks.os.system"}, "task"),
        ({"task": "tests.jobs.tasks.disguised_system"}, "task"),
        ({"task": "tests.jobs.tasks.nowhere"}, "task"),
        ({"task": "tests.jobs.nowhere.noop"}, "task"),
        ({"task": "tests.jobs.tasks.not_callable"}, "task"),
        ({"args": "{nonsense"}, "args"),
        ({"args": "[1]"}, "args"),
        ({"args": "null"}, "args"),
        ({"args": '{"x": NaN}'}, "args"),
        ({"priority": "101"}, "priority"),
        ({"priority": "x"}, "priority"),
        ({"queue": "q" * 101}, "queue"),
        ({"max_attempts": "0"}, "max_attempts"),
        ({"timeout": "-1"}, "timeout"),
        ({"timeout": "inf"}, "timeout"),
        ({"run_after_0": "soon", "run_after_1": "00:00:00"}, "run_after"),
        ({"unique_key": "k" * 256}, "unique_key"),
        ({"status": "1"}, "status"),
        ({"status": "77"}, "status"),
    ],
)
def test_what_create_task_refuses_the_form_refuses_beside_its_field(
    superuser: Client, data: dict[str, str], field: str
) -> None:
    response = superuser.post(ADD, {"task": "tests.jobs.tasks.noop", "args": "{}", **data})
    assert response.status_code == 200
    assert list(errors(response)) == [field]
    assert not Task.objects.exists()


def test_a_task_added_as_ended_is_a_record_that_never_runs(superuser: Client) -> None:
    data = {"task": "tests.jobs.tasks.noop", "status": str(Task.COMPLETED), "output": "by hand", "unique_key": "k"}
    assert superuser.post(ADD, data).status_code == 302
    task = Task.objects.get()
    assert (task.status, task.output, task.unique_key, task.unique_slot) == (Task.COMPLETED, "by hand", "k", None)
    assert task.finished_at is not None


# One task


def test_the_page_of_a_task_is_read_only(superuser: Client) -> None:
    task = make(output="what came of it")
    shown = superuser.get(change_page(task)).content.decode()
    assert "what came of it" in shown
    assert 'name="_save"' not in shown
    assert "<textarea" not in shown
    assert superuser.post(change_page(task), {"task": "os.system", "status": "2"}).status_code == 403
    task.refresh_from_db()
    assert (task.task, task.status) == ("tests.jobs.tasks.noop", Task.QUEUED)


def test_the_page_of_a_task_shows_its_failed_runs_and_escapes_them(superuser: Client) -> None:
    hostile = "<script>alert(1)</script>"
    task = make(status=Task.FAILED, error=hostile, log=hostile, args=hostile, output=hostile, worker=hostile)
    now = timezone.now()
    Attempt.objects.create(task_id=task.pk, number=1, ended_at=now, kind="timeout", error=hostile, worker=hostile)
    shown = superuser.get(change_page(task)).content.decode()
    assert hostile not in shown
    assert "timeout" in shown
    assert shown.count("&lt;script&gt;alert(1)") == 7


def test_deleting_a_task_in_the_admin_works(superuser: Client) -> None:
    task = make()
    superuser.post(f"{LIST}{task.pk}/delete/", {"post": "yes"})
    assert not Task.objects.exists()


# Actions


def test_cancel_ends_what_waits_and_asks_what_runs(superuser: Client) -> None:
    waits, runs, over = make(), make(status=Task.PROGRESS, holder=2**32), make(status=Task.COMPLETED)
    said = act(superuser, "cancel_tasks", waits, runs, over)
    assert said == ["2 tasks were cancelled or asked to stop.", "1 task had already ended."]
    for task in (waits, runs, over):
        task.refresh_from_db()
    assert (waits.status, runs.status, over.status) == (Task.CANCELLED, Task.PROGRESS, Task.COMPLETED)
    assert runs.cancel_requested


def test_retry_starts_ended_tasks_anew_and_no_others(superuser: Client) -> None:
    failed, waits = make(status=Task.FAILED, attempt=3, error="old"), make()
    said = act(superuser, "retry_tasks", failed, waits)
    assert said[0] == "1 task will run again."
    assert said[1].startswith("1 task was left as it is")
    failed.refresh_from_db()
    assert (failed.status, failed.attempt, failed.error) == (Task.QUEUED, 0, None)


@pytest.mark.parametrize("action", ["enqueue_tasks", "cancel_tasks", "retry_tasks"])
def test_who_may_only_view_tasks_cannot_change_them(staff: Client, action: str) -> None:
    user = User.objects.get()
    user.user_permissions.add(Permission.objects.get(codename="view_task"))
    task = make(status=Task.FAILED)
    assert staff.get(change_page(task)).status_code == 200
    staff.post(LIST, {"action": action, "_selected_action": [str(task.pk)]})
    task.refresh_from_db()
    assert task.status == Task.FAILED
    assert staff.get(ADD).status_code == 403


# The list


@pytest.mark.parametrize(
    "form", [str, lambda key: key.hex, lambda key: f" {str(key).upper()} ", lambda key: str(key)[:13]]
)
def test_search_finds_a_task_by_its_id(superuser: Client, form: Any) -> None:
    task = make(id=uuid.UUID("12345678-9abc-4def-8123-456789abcdef"))
    make()
    assert [*superuser.get(LIST, {"q": form(task.pk)}).context["cl"].result_list] == [task]


def test_a_whole_id_is_looked_up_without_reading_all_rows(superuser: Client) -> None:
    task = make()
    with CaptureQueriesContext(connection) as captured:
        superuser.get(LIST, {"q": str(task.pk)})
    assert not [query["sql"] for query in captured.captured_queries if "LIKE" in query["sql"].upper()]


def test_search_finds_a_task_by_callable_and_output(superuser: Client) -> None:
    by_name, by_output = make(task="tests.jobs.tasks.echo"), make(output="needle in the hay")
    assert [*superuser.get(LIST, {"q": "ECHO"}).context["cl"].result_list] == [by_name]
    assert [*superuser.get(LIST, {"q": "needle"}).context["cl"].result_list] == [by_output]
    assert superuser.get(LIST, {"q": "\x00"}).status_code in (200, 302)


def test_the_list_reads_no_long_texts_and_does_not_grow_in_queries(
    superuser: Client, django_assert_num_queries: Any
) -> None:
    make(output="long")
    with django_assert_num_queries(4) as few:  # session, user, count, page
        superuser.get(LIST)
    for _ in range(20):
        make(output="long")
    with django_assert_num_queries(len(few)) as many:
        superuser.get(LIST)
    (page,) = [
        q["sql"] for q in many.captured_queries if "ORDER BY" in q["sql"] and "django_simple_queue_task" in q["sql"]
    ]
    for name in ("args", "output", "error", "log"):
        assert not re.search(rf"\b{name}\b", page)


def test_workers_and_attempts_can_only_be_read(superuser: Client) -> None:
    now = timezone.now()
    worker = Worker.objects.create(name="bee-1", host="hive", pid=1, beat_at=now, started_at=now - timedelta(hours=1))
    attempt = Attempt.objects.create(task_id=uuid.uuid4(), number=1, ended_at=now, kind="lost")
    for row, name in ((worker, "worker"), (attempt, "attempt")):
        url = f"/admin/django_simple_queue/{name}/"
        assert superuser.get(url).status_code == 200
        assert superuser.get(url, {"q": str(uuid.uuid4())}).status_code == 200
        assert superuser.get(f"{url}{row.pk}/change/").status_code == 200
        assert superuser.get(f"{url}add/").status_code == 403
        assert superuser.post(f"{url}{row.pk}/change/", {}).status_code == 403
        assert superuser.post(f"{url}{row.pk}/delete/", {"post": "yes"}).status_code == 403


def test_attempts_are_found_by_their_task(superuser: Client) -> None:
    wanted, other = (
        Attempt.objects.create(task_id=uuid.uuid4(), number=1, ended_at=timezone.now(), kind="lost") for _ in range(2)
    )
    url = "/admin/django_simple_queue/attempt/"
    assert [*superuser.get(url, {"q": str(wanted.task_id)}).context["cl"].result_list] == [wanted]
    assert [*superuser.get(url).context["cl"].result_list] == [other, wanted]
    assert [*superuser.get(url, {"q": "nonsense"}).context["cl"].result_list] == []
