"""Traps that others fell into, and those that were met on the way; see also those of guards and of clocks."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from django.db import OperationalError, connection, connections, transaction
from django.db.models import Exists, OuterRef

from django_simple_queue.backends import Session
from django_simple_queue.claims import claim_rows, lease

from .models import Base, Campaign, Child, Heap, Line, PairTarget, Target
from .tools import (
    PATIENCE,
    Rival,
    another_alias,
    assert_as_stored,
    repeatable_read,
    statements,
    until,
    waits,
)

OPEN = Target.objects.filter(status=0)
TAKE: dict[str, Any] = {"limit": 1, "updates": {"status": 1}}
MANY = 20_000


def needs(feature: str, why: str) -> None:
    if not getattr(connection.features, feature):
        pytest.skip(f"{feature}: {why}")


# -- 2: the write finds its rows by primary key, whatever the statistics say -------------------------------------


def test_old_statistics_let_no_write_scan_the_backlog(strategy: Any) -> None:
    fill(status=1)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE TABLE claims_target" if connection.vendor == "mysql" else "ANALYZE")
    fill(status=0)
    queryset = OPEN.order_by("priority", "id")
    written: list[tuple[str, Any]] = []

    def note(execute: Any, sql: str, params: Any, *rest: Any) -> Any:
        if "UPDATE " in sql and "SET" in sql and "claims_target" in sql:
            written.append((sql, params))
        return execute(sql, params, *rest)

    with transaction.atomic(), connection.execute_wrapper(note):
        assert len(claim_rows(queryset, limit=100, updates={"status": 1})) == 100
        transaction.set_rollback(True)
    ((sql, params),) = written
    plan = PLANS[connection.vendor](sql, params)
    assert plan == "by primary key", plan


def fill(status: int) -> None:
    """Rows of this status, by one statement that doubles them."""
    Target.objects.bulk_create(Target(status=status, priority=n % 7) for n in range(MANY // 64))
    columns = "status, priority, tries, label, data, price, fence"
    with connection.cursor() as cursor:
        for _ in range(6):
            cursor.execute(
                f"INSERT INTO claims_target ({columns}) SELECT {columns} FROM claims_target WHERE status = %s", [status]
            )


def postgresql_plan(sql: str, params: Any) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", params)
        (found,) = cursor.fetchone()
    plan = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
    assert plan["Node Type"] == "ModifyTable"
    nodes = [node for node in plan["Plans"] if node.get("Parent Relationship") == "Outer"]
    while nodes[0]["Node Type"] == "Bitmap Heap Scan":
        nodes = nodes[0]["Plans"]
    good = nodes[0].get("Index Name") == "claims_target_pkey" and " = ANY " in nodes[0].get("Index Cond", "")
    return "by primary key" if good else json.dumps(plan, indent=1)


def mysql_plan(sql: str, params: Any) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN FORMAT=TRADITIONAL {sql}", params)
        names = [column[0].lower() for column in cursor.description]
        (line,) = (dict(zip(names, row, strict=True)) for row in cursor.fetchall())
    return "by primary key" if (line["key"], line["type"]) == ("PRIMARY", "range") else str(line)


def sqlite_plan(sql: str, params: Any) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}", params)
        lines = [row[-1] for row in cursor.fetchall()]
    return "by primary key" if lines == ["SEARCH claims_target USING INTEGER PRIMARY KEY (rowid=?)"] else str(lines)


PLANS = {"postgresql": postgresql_plan, "mysql": mysql_plan, "sqlite": sqlite_plan}


# -- 3: InnoDB without an index in the order of the claim --------------------------------------------------------


def test_without_an_index_innodb_leaves_rivals_nothing_and_all_comes_in_the_end(strategy: Any, rival: Rival) -> None:
    Heap.objects.bulk_create(Heap(place=n) for n in range(9))
    free = Heap.objects.filter(status=0).order_by("place")

    def take() -> list[int]:
        return [one.place for one in claim_rows(free, limit=2, updates={"status": 1})]

    with transaction.atomic():
        assert take() == [0, 1]
        other = rival.start(take)
        if "SkipLocked" in strategy.__name__:
            assert other.result(PATIENCE) == ([] if connection.vendor == "mysql" else [2, 3])
        else:
            assert waits(other)
    rest = other.result(PATIENCE)
    until(lambda: rest.extend(take()) or len(rest) == 7)
    assert sorted(rest) == [2, 3, 4, 5, 6, 7, 8]


# -- 4, 11: SQLite's busy handler and transaction mode -----------------------------------------------------------


@pytest.fixture
def sqlite(database: None) -> None:
    if connection.features.has_select_for_update:
        pytest.skip("has_select_for_update: the database has not one writer at a time")


def timeout(alias: str) -> int:
    with connections[alias].cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout")
        return int(cursor.fetchone()[0])


def test_sqlite_is_impatient_only_during_the_claim(sqlite: None) -> None:
    Target.objects.create()
    with another_alias(OPTIONS={"init_command": "PRAGMA busy_timeout = 1234"}) as alias:
        during: list[int] = []

        def look(sql: str) -> None:
            if sql.startswith("UPDATE"):
                during.append(timeout(alias))

        with statements(alias, also=look):
            assert len(claim_rows(OPEN, using=alias, **TAKE)) == 1
        assert (during, timeout(alias)) == ([1], 1234)
        with Session(alias).transaction():  # an atomic task's, for instance, which nobody tries again
            assert timeout(alias) == 1234
        Target.objects.update(status=0)
        with pytest.raises(OperationalError):
            claim_rows(OPEN.filter(label__regex="("), using=alias, **TAKE)
        assert timeout(alias) == 1234


def test_sqlites_write_lock_is_taken_first_after_a_reconnection_too(sqlite: None) -> None:
    for given in (None, "EXCLUSIVE"):
        Target.objects.create()
        with another_alias(OPTIONS={"transaction_mode": given}) as alias, statements(alias) as sent:
            connections[alias].close()
            assert len(claim_rows(OPEN, using=alias, **TAKE)) == 1
            assert [sql for sql in sent if sql.startswith("BEGIN")] == [f"BEGIN {given or 'IMMEDIATE'}"]
            assert connections[alias].transaction_mode == given


# -- 5, 6: what else is locked -----------------------------------------------------------------------------------


def test_a_new_child_row_keeps_others_from_its_parent_where_it_locks_that(
    strategy: Any, rival: Rival, other_rival: Rival
) -> None:
    needs("has_select_for_update", "one writer at a time")
    first, second = (Target.objects.create(priority=n) for n in range(2))
    with rival.holding(lambda: Line.objects.create(target=first)):
        claim = other_rival.start(lambda: claim_rows(OPEN.order_by("priority"), **TAKE))
        if connection.features.has_select_for_no_key_update:
            assert claim.result(PATIENCE) == [first]
        elif "SkipLocked" in strategy.__name__:
            assert claim.result(PATIENCE) == [second]
        else:
            assert waits(claim)
    assert len(claim.result(PATIENCE)) == 1


def test_a_new_child_row_does_not_wait_for_a_claimed_parent_where_it_need_not(strategy: Any, rival: Rival) -> None:
    needs("has_select_for_no_key_update", "a child row locks its parent")
    for model, updates in ((PairTarget, {"status": 1}), (Target, {"status": 1})):
        row = model.objects.create(**({"tenant": 1, "number": 1} if model is PairTarget else {}))
        with transaction.atomic():
            assert claim_rows(model.objects.filter(status=0), limit=1, updates=updates) == [row]
            locked = f"SELECT 1 FROM {row._meta.db_table} FOR KEY SHARE NOWAIT"  # as a foreign key's check does
            assert rival.does(lambda locked=locked: Session().rows(locked)) == [(1,)]


def test_rows_that_are_joined_for_the_order_or_by_inheritance_are_not_locked(strategy: Any, rival: Rival) -> None:
    needs("has_select_for_update", "one writer at a time")
    Target.objects.create(campaign=Campaign.objects.create())
    child = Child.objects.create()
    with transaction.atomic():
        assert len(claim_rows(OPEN.order_by("campaign__rank").only("campaign"), **TAKE)) == 1
        assert claim_rows(Child.objects.filter(sent=False, status=0), limit=1, updates={"sent": True}) == [child]
        assert rival.does(lambda: Campaign.objects.update(rank=1)) == 1
        assert rival.does(lambda: Base.objects.update(status=5)) == 1


# -- 14: a project at REPEATABLE READ ----------------------------------------------------------------------------


def test_mysql_claims_at_read_committed_and_leaves_the_session_as_it_was(strategy: Any) -> None:
    if connection.vendor != "mysql":
        pytest.skip("elsewhere an isolation level is not said for one transaction")
    Target.objects.create()
    levels: list[str] = []
    with another_alias(OPTIONS={"isolation_level": repeatable_read()}) as alias:
        session = Session(alias)
        ours = "FROM information_schema.innodb_trx WHERE trx_mysql_thread_id = CONNECTION_ID()"

        def look(sql: str) -> None:
            while sql.startswith("UPDATE") and not levels:
                time.sleep(0.15)  # the view is not made anew while it is read more often than every 0.1 s
                levels.extend(row[0] for row in session.rows(f"SELECT trx_isolation_level {ours}"))

        with statements(alias, also=look):
            assert len(claim_rows(OPEN, using=alias, **TAKE)) == 1
        ((_, after),) = session.rows("SHOW SESSION VARIABLES WHERE Variable_name RLIKE '^t[a-z]*_isolation$'")
    assert (levels, after) == (["READ COMMITTED"], "REPEATABLE-READ")


def test_a_serialization_failure_outside_any_transaction_is_tried_again(
    strategy: Any, rival: Rival, other_rival: Rival
) -> None:
    needs("has_select_for_no_key_update", "elsewhere what has changed after a snapshot may be written")
    Target.objects.bulk_create(Target(priority=n) for n in range(3))
    queryset = OPEN.order_by("priority")

    def claim() -> list[int]:
        with another_alias(OPTIONS={"isolation_level": repeatable_read()}) as alias:
            found = claim_rows(queryset, using=alias, **TAKE) or claim_rows(queryset, using=alias, **TAKE)
            return [one.priority for one in found]

    with rival.holding(lambda: claim_rows(queryset, **TAKE)):
        other = other_rival.start(claim)
        assert waits(other) is ("SkipLocked" not in strategy.__name__)
    assert other.result(PATIENCE) in ([1], [2])


# -- 17: leases ---------------------------------------------------------------------------------------------------


def test_a_renewal_that_waits_behind_confirm_is_no_loss(database: None) -> None:
    with lease("trap", 2.4) as held:
        with transaction.atomic():
            held.confirm()
            time.sleep(1)  # a renewal is due after 0.8
        held.check()
        held.renew()


# -- 20: MySQL does not read in a sub-select what it updates -----------------------------------------------------


def test_a_filter_that_looks_into_its_own_table(strategy: Any) -> None:
    """One in flight of each kind, if nobody else claims at once."""
    Target.objects.bulk_create(Target(priority=n, fence=n % 2) for n in range(4))
    in_flight = Target.objects.filter(status=1, fence=OuterRef("fence"))
    waiting_before = Target.objects.filter(status=0, fence=OuterRef("fence"), priority__lt=OuterRef("priority"))
    free = OPEN.filter(~Exists(in_flight), ~Exists(waiting_before)).order_by("priority")
    found = claim_rows(free, limit=9, updates={"status": 1})
    assert [one.priority for one in found] == [0, 1]
    assert_as_stored(found)
    assert claim_rows(free, limit=9, updates={"status": 1}) == []
