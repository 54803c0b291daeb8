"""Databases that 0.1.x has made and used are upgraded, and what was queued there runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from django_simple_queue.models import Task

from . import packages
from .databases import ALIAS
from .migrating import CURRENT, HEAD_OF_0_1, PUBLISHED, add, migrate
from .shop import Shop

GOOD = ("first", "second", "third", "fourth", "args NULL", "args empty", "last")
NOTED = ["first", "second", "third", "fourth", "nobody", "nobody", "last"]
# What the error of a poison row must say.
POISON = {
    "raises": "the shop is closed",
    "malformed JSON": "args",
    "JSON but no object": "args",
    "unknown argument": "colour",
    "no such module": "shop.absent",
    "no such function": "absent",
    "not callable": "not callable",
    "no dotted name": "'note'",
    "not allowed": "not in the allowed list",
}
NOT_RUN = ("in progress", "completed", "failed", "cancelled")
OF_0_1 = "task, args, status, created, modified, output"


@pytest.fixture
def shop(scratch: Any, tmp_path: Path) -> Shop:
    return Shop(scratch, tmp_path)


def upgrade_and_work(shop: Shop, ids: dict[str, str], columns: str = OF_0_1) -> dict[str, dict[str, Any]]:
    """Upgrade, run what is queued and check each row; the rows afterwards."""
    before = shop.tasks(ids, columns)
    migrate(shop.connection, CURRENT)
    assert shop.work() == NOTED
    after = shop.tasks(ids)
    assert after.keys() == ids.keys() == {*GOOD, *POISON, *NOT_RUN}
    for label in GOOD:
        ran = after[label]
        assert (ran["status"], ran["error"], ran["log"]) == (Task.COMPLETED, None, None), label
    for label, says in POISON.items():
        assert after[label]["status"] == Task.FAILED, label
        assert says in after[label]["error"], label
    for label in NOT_RUN:
        assert {name: after[label][name] for name in before[label]} == before[label], label
    assert after["first"]["output"] == "noted first"
    assert {row["holder"] for row in after.values()} == {None}
    assert {row["worker_pid"] for label, row in after.items() if label not in NOT_RUN} == {None}
    return after


def test_what_the_published_0_1_10_has_queued_runs(shop: Shop) -> None:
    upgrade_and_work(shop, shop.old(packages=(packages.published(),)))


def test_the_doctor_says_before_the_upgrade_what_would_be_refused(shop: Shop) -> None:
    shop.old(packages=(packages.published(),))
    report = json.loads(shop.run("-m", "django", "task_doctor", "--json", code=1))
    said = "\n".join(finding["what"] for finding in report["databases"]["default"]["findings"])
    for name in ("'os.system'", "'shop.absent.note'", "'shop.tasks.absent'", "'shop.tasks.not_callable'", "'note'"):
        assert name in said
    assert "'shop.tasks.note'" not in said


def test_what_the_unreleased_head_has_queued_runs(shop: Shop) -> None:
    ids = shop.old(packages=(packages.published(),))
    tasks = migrate(shop.connection, HEAD_OF_0_1)._base_manager.using(ALIAS)
    tasks.filter(pk=ids["completed"]).update(log="Initiating task id: 1\nFinished task id: 1\n")
    tasks.filter(pk=ids["failed"]).update(error="ValueError()\n\nTraceback", log="")
    # Its worker was interrupted: the number of a process stays on a row that has ended, and on one in progress.
    tasks.filter(pk__in=[ids["cancelled"], ids["in progress"]]).update(worker_pid=1)
    # Put back by save(), which keeps what the last run has left.
    tasks.filter(pk=ids["second"]).update(error="of the last run", log="of the last run", output="of the last run")
    after = upgrade_and_work(shop, ids, f"{OF_0_1}, error, log, worker_pid")
    assert after["second"]["output"] == "noted second"


def test_a_table_made_by_django_4_2_gets_todays_type_of_id(shop: Shop) -> None:
    features = shop.connection.features
    if not features.has_native_uuid_field or features.can_rollback_ddl:
        pytest.skip("Django 4.2 stored UUIDs here as today's Django does")
    ids = shop.old(packages=(packages.published(), packages.django_4_2()))
    upgrade_and_work(shop, ids)
    tasks = Task._base_manager.using(ALIAS)
    assert str(tasks.get(pk=ids["first"]).id) == ids["first"]
    assert tasks.filter(pk=ids["first"]).update(output="found") == 1


def test_a_web_process_of_0_1_10_goes_on_enqueueing(shop: Shop) -> None:
    ids = shop.old(packages=(packages.published(),))
    migrate(shop.connection, CURRENT)
    ids |= shop.old("more", packages=(packages.published(),))
    # It does not know the order of arrival: its tasks come first.
    assert shop.work() == ["late", *NOTED]
    assert shop.tasks(ids)["late"]["status"] == Task.COMPLETED


@pytest.mark.parametrize("target", [PUBLISHED, HEAD_OF_0_1])
def test_after_the_way_back_0_1_10_goes_on(shop: Shop, target: str) -> None:
    ids = {"scheduled": str(add(shop.connection, migrate(shop.connection, CURRENT), status=Task.SCHEDULED))}
    migrate(shop.connection, target)
    ids |= shop.old("more", packages=(packages.published(),))
    shop.old("run", *ids.values(), packages=(packages.published(),))
    assert shop.notes() == ["nobody", "late"]
    assert {label: row["status"] for label, row in shop.tasks(ids).items()} == dict.fromkeys(ids, Task.COMPLETED)
