"""task_doctor and `check --database` say whether an index serves what a project claims from."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import CheckMessage
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connection, models, transaction
from django.db.models import Q
from django.test.utils import CaptureQueriesContext

from django_simple_queue import checks, doctor
from django_simple_queue.backends import get_strategy
from django_simple_queue.backends.health import WARNING
from tests.claims.models import Campaign, Child, Heap, Line, Target

QUERYSETS = "tests.edges.querysets."
SERVED = ["in_order", "backwards", "in_no_order", "joined", "with_exists", "leased"]
# Name of a queryset, what a claim would do, and what is advised.
NOT_SERVED = [
    ("by_tries", "sort", "models.Index(fields=['status', 'tries'], name=...) in Target.Meta.indexes"),
    ("newest_first", "sort", "models.Index(fields=['status', 'tries', 'id'], name=...) in Target.Meta.indexes"),
    ("by_campaign", "sort", "No index serves this order: order by columns of claims_target itself."),
    ("all_but_leased", "scan", "Let the filter ask a column for one value"),
    ("heap", "sort", "models.Index(fields=['status', 'place'], name=...) in Heap.Meta.indexes"),
    ("heap_by_key", "s", "models.Index(fields=['status', 'id'], name=...) in Heap.Meta.indexes"),
    ("pairs", "s", "models.Index(fields=['status', 'tenant', 'number'], name=...) in PairTarget.Meta.indexes"),
    ("unsent", "scan", "models.Index(fields=['sent']"),
    ("unclaimed", "sort", "models.Index(fields=["),
]


def named(settings: Any, *names: str) -> None:
    settings.DJANGO_SIMPLE_QUEUE_CLAIMS = [QUERYSETS + name for name in names]


def checked() -> list[CheckMessage]:
    return checks.check_claims(databases=["default"])


def problems() -> list[dict[str, str]]:
    return [finding for finding in doctor.examine("default")["findings"] if QUERYSETS in finding["what"]]


def fill(count: int) -> None:
    """Every second row is to be claimed."""
    campaign = Campaign.objects.create()
    Target.objects.bulk_create(Target(campaign=campaign, status=i % 2, priority=i % 7, tries=-i) for i in range(count))
    Heap.objects.bulk_create(Heap(status=i % 2, place=-i) for i in range(count))
    with connection.cursor() as cursor:
        for model in (Campaign, Target, Line, Heap):
            word = "ANALYZE TABLE" if connection.vendor == "mysql" else "ANALYZE"
            cursor.execute(f"{word} {model._meta.db_table}")
            cursor.fetchall() if cursor.description else None


@contextmanager
def index(model: type[models.Model], **given: Any) -> Iterator[None]:
    added = models.Index(name="claims_added", **given)
    with connection.schema_editor() as editor:
        editor.add_index(model, added)
    try:
        yield
    finally:
        with connection.schema_editor() as editor:
            editor.remove_index(model, added)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("rows", [0, 3, 2000])
def test_what_an_index_serves_is_not_warned_of_however_many_rows_there_are(settings: Any, rows: int) -> None:
    fill(rows)
    named(settings, *SERVED)
    assert checked() == []
    report = doctor.examine("default")
    assert problems() == []
    told = {claim["name"].removeprefix(QUERYSETS): claim for claim in report["claims"]}
    assert [*told] == SERVED
    assert {claim["index"] for claim in told.values()} == {"claims_target_order"}
    assert not any(claim["sorts"] or claim["scans"] for claim in told.values())


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("rows", [0, 3, 2000])
def test_what_no_index_serves_is_warned_of_with_the_index_that_would_help(settings: Any, rows: int) -> None:
    fill(rows)
    named(settings, *(name for name, _, _ in NOT_SERVED))
    messages, found = checked(), problems()
    assert [(message.msg, message.hint) for message in messages] == [(one["what"], one["fix"]) for one in found]
    assert {message.id for message in messages} == {"django_simple_queue.W005"}
    assert {finding["level"] for finding in found} == {WARNING}
    for (name, does, advice), message in zip(NOT_SERVED, messages, strict=True):
        assert message.msg.startswith(f"Claims from {QUERYSETS}{name} would {does}"), message
        assert str(message.hint).startswith(advice)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("name", "model"),
    [("by_tries", Target), ("heap", Heap), ("heap_by_key", Heap), ("unsent", Child), ("unclaimed", Target)],
)
def test_who_follows_the_advice_is_not_warned_any_more(settings: Any, name: str, model: type[models.Model]) -> None:
    fill(300)
    named(settings, name)
    (message,) = checked()
    given: dict[str, Any] = eval(f"dict({str(message.hint).partition('(')[2].partition(', name=')[0]})", {"Q": Q})
    with index(model, **given):
        assert checked() == []
        assert problems() == []
    assert [one.msg for one in checked()] == [message.msg]


@pytest.mark.django_db(transaction=True)
def test_an_order_in_both_directions_wants_an_index_that_has_them_where_there_are_such(settings: Any) -> None:
    named(settings, "both_ways")
    (message,) = checked()
    if connection.features.supports_index_column_ordering:
        assert "fields=['status', '-priority', 'id']" in str(message.hint)
        with index(Target, fields=["status", "-priority", "id"]):
            assert checked() == []
    else:
        assert "all ascend, or all descend" in str(message.hint)


@pytest.mark.django_db
def test_an_order_of_nulls_is_no_column_of_an_index(settings: Any) -> None:
    named(settings, "nulls_last")
    assert all("No index serves this order" in str(message.hint) for message in checked())


@pytest.mark.django_db(transaction=True)
def test_a_partial_index_may_be_read_from_end_to_end(settings: Any) -> None:
    if not connection.features.supports_partial_indexes:
        pytest.skip("supports_partial_indexes")
    named(settings, "heap")
    with index(Heap, fields=["place"], condition=Q(status=0)):
        assert checked() == []


@pytest.mark.django_db(transaction=True)
def test_an_index_of_the_order_alone_is_not_enough(settings: Any) -> None:
    named(settings, "heap")
    with index(Heap, fields=["place"]):
        (message,) = checked()
    assert "fields=['status', 'place']" in str(message.hint)


@pytest.mark.django_db
def test_the_strategy_is_that_of_the_claim(settings: Any) -> None:
    named(settings, "in_order", "joined")
    claims = doctor.examine("default")["claims"]
    chosen = get_strategy("default")
    can_lock = connection.features.has_select_for_update_of or not getattr(chosen, "lock", "")
    assert [claim["strategy"] for claim in claims] == [chosen.name, chosen.name if can_lock else "compare_and_swap"]


@pytest.mark.django_db
@pytest.mark.parametrize("strategy", ["row_lock", "compare_and_swap"])
def test_a_forced_strategy_is_the_one_that_is_examined(settings: Any, strategy: str) -> None:
    if strategy == "row_lock" and not connection.features.has_select_for_update:
        pytest.skip("has_select_for_update")
    settings.DJANGO_SIMPLE_QUEUE_CLAIM_STRATEGY = strategy
    named(settings, "in_order", "heap")
    first, second = doctor.examine("default")["claims"]
    assert (first["strategy"], first["sorts"], second["strategy"], second["sorts"]) == (strategy, False, strategy, True)


@pytest.mark.django_db
def test_a_claim_that_can_match_nothing_is_shown_and_not_judged(settings: Any) -> None:
    named(settings, "nothing")
    (claim,) = doctor.examine("default")["claims"]
    assert (claim["strategy"], claim["plan"]) == (None, None)
    assert checked() == []
    out = StringIO()
    call_command("task_doctor", stdout=out)
    assert f"{QUERYSETS}nothing: matches nothing" in " ".join(out.getvalue().split())


@pytest.mark.django_db
def test_people_are_shown_the_strategy_and_the_plan(settings: Any) -> None:
    named(settings, "in_order", "heap")
    out = StringIO()
    call_command("task_doctor", stdout=out)
    text = " ".join(out.getvalue().split())
    strategy = get_strategy("default").name
    assert f"claim {QUERYSETS}in_order: {strategy} by claims_target_order, where it matches, without a sort: " in text
    assert f"claim {QUERYSETS}heap: {strategy} by no index, read from its end on, sorted: " in text
    assert f"warning Claims from {QUERYSETS}heap would sort" in text


@pytest.mark.django_db
def test_what_no_claim_could_take_out_of_its_filter_is_an_error_of_the_database_check(settings: Any) -> None:
    named(settings, "nobody_would_be_out")
    assert checks.check_settings() == []  # found out with the database's own compiler only
    with pytest.raises(SystemCheckError, match=r"django_simple_queue\.E009.*none of which a claim could write"):
        call_command("check", databases=["default"])
    (finding,) = problems()
    assert "none of which a claim could write" in finding["what"]


@pytest.mark.django_db
def test_a_wrong_name_is_said_once_and_spoils_nothing(settings: Any) -> None:
    named(settings, "nowhere", "heap")
    assert [message.id for message in checks.check_settings()] == ["django_simple_queue.E009"]
    assert checked() == []
    wrong, slow = problems()
    assert wrong["what"].startswith(f"{QUERYSETS}nowhere gives nothing to claim from: ")
    assert slow["what"].startswith(f"Claims from {QUERYSETS}heap would sort")


@pytest.mark.django_db(transaction=True)
def test_before_its_table_is_made_a_claim_is_not_judged_and_nothing_breaks(settings: Any) -> None:
    named(settings, "heap")
    with connection.schema_editor() as editor:
        editor.delete_model(Heap)
    try:
        assert checked() == []
        (finding,) = problems()
    finally:
        with connection.schema_editor() as editor:
            editor.create_model(Heap)
    assert finding["what"] == f"Claims from {QUERYSETS}heap cannot be examined: the table claims_heap is missing."
    assert checked() != []


@pytest.mark.django_db
def test_databases_that_are_not_asked_for_are_left_alone(settings: Any, django_assert_num_queries: Any) -> None:
    named(settings, "heap", "elsewhere")
    with django_assert_num_queries(0):
        assert checks.check_claims(databases=None) == []
        assert checks.check_claims(databases=["another"]) == []
    assert len(checked()) == 1
    assert [claim["name"] for claim in doctor.examine("default")["claims"]] == [f"{QUERYSETS}heap"]


@pytest.mark.django_db(transaction=True)
def test_it_changes_nothing_neither_rows_nor_the_session(settings: Any) -> None:
    fill(10)
    named(settings, *SERVED, *(name for name, _, _ in NOT_SERVED))
    with CaptureQueriesContext(connection) as captured, transaction.atomic():
        doctor.examine("default")
        assert Target.objects.filter(status=0).count() == 5
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SHOW enable_seqscan")
                assert cursor.fetchone() == ("on",)
    words = {query["sql"].split()[0].upper() for query in captured.captured_queries}
    asks = {"SELECT", "SHOW", "PRAGMA", "WITH", "EXPLAIN"}
    assert words <= asks | {"BEGIN", "COMMIT", "SAVEPOINT", "RELEASE", "ROLLBACK", "SET"}


def test_a_database_that_is_only_claimed_from_needs_no_tables_of_the_queue(
    worker_env: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "two_databases.py").write_text(
        "from tests.settings import *\n"
        f"DJANGO_SIMPLE_QUEUE_CLAIMS = ['{QUERYSETS}in_order', '{QUERYSETS}elsewhere']\n"
        "DATABASES['elsewhere'] = {'ENGINE': 'django.db.backends.sqlite3',"
        f" 'NAME': '{tmp_path / 'elsewhere.sqlite3'}'}}\n"
    )
    environment = worker_env | {
        "DJANGO_SETTINGS_MODULE": "two_databases",
        "PYTHONPATH": os.pathsep.join([str(tmp_path), worker_env["PYTHONPATH"]]),
    }
    command = [sys.executable, "-m", "django", "task_doctor", "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    reports = json.loads(done.stdout)["databases"]
    assert [*reports] == ["default", "elsewhere"]
    assert [claim["name"] for claim in reports["default"]["claims"]] == [f"{QUERYSETS}in_order"]
    found = [finding["what"] for finding in reports["elsewhere"]["findings"]]
    assert f"Claims from {QUERYSETS}elsewhere cannot be examined: the table claims_target is missing." in found
    assert not any("django_simple_queue" in what for what in found)
