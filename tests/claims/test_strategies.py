"""What a ClaimSpec may ask for beyond the queue's own: every strategy takes it, on our connection and the caller's."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import pytest
from django.db import transaction
from django.db.transaction import TransactionManagementError

from django_simple_queue.backends import ClaimSpec, ClaimStrategy, OwnSession, Session
from django_simple_queue.backends.lock_then_write import LockThenWrite
from django_simple_queue.backends.skip_locked import SkipLockedReturning
from django_simple_queue.exceptions import StillClaimable, StrategyError

from .models import Base, Campaign, Child, PairTarget, Target
from .tools import PATIENCE, Rival, statements, waits

TARGET, PAIR = "claims_target", "claims_pairtarget"


@pytest.fixture(params=[OwnSession, Session], ids=["ours", "the caller's"])
def session(request: pytest.FixtureRequest, strategy: Any) -> Iterator[Session]:
    session = request.param("default")
    yield session
    session.close()


@pytest.fixture
def claiming(session: Session, strategy: type[ClaimStrategy]) -> ClaimStrategy:
    return strategy(session)


def targets(count: int = 6, **given: Any) -> None:
    """Made in another order than that of their priority."""
    Target.objects.bulk_create(Target(priority=(n * 5) % count, **given) for n in range(count))


def pairs() -> None:
    PairTarget.objects.bulk_create(PairTarget(tenant=n % 2, number=n) for n in range(6))


def spec(**given: Any) -> ClaimSpec:
    """The targets of status 0, by priority."""
    wanted: dict[str, Any] = {
        "table": TARGET,
        "key": f"{TARGET}.id",
        "columns": ("priority",),
        "guard": "status = %(old)s",
        "write": "status = %(new)s",
        "source": f"FROM {TARGET} WHERE status = %(old)s ORDER BY priority",
        "ordered": True,
        "params": {"old": 0, "new": 1},
    }
    return ClaimSpec(**{**wanted, **given})


def pair_spec(**given: Any) -> ClaimSpec:
    source = f"FROM {PAIR} WHERE status = %(old)s ORDER BY number DESC"
    pair = {"table": PAIR, "key": ("tenant", "number"), "columns": ("status",), "source": source}
    return spec(**{**pair, **given})


def column(name: str) -> list[Any]:
    return list(Target.objects.order_by("priority").values_list(name, flat=True))


# -- rows and their order ----------------------------------------------------------------------------------------


def test_rows_are_key_and_columns_in_the_order_of_the_source(claiming: ClaimStrategy) -> None:
    targets()
    keys = column("id")
    assert claiming.take(spec(), 4) == [(keys[n], n) for n in range(4)]
    descending = spec(source=f"FROM {TARGET} WHERE status = %(old)s ORDER BY priority DESC")
    assert claiming.take(descending, 4) == [(keys[5], 5), (keys[4], 4)]
    assert claiming.take(spec(), 4) == []


def test_each_row_is_made_by_the_factory(claiming: ClaimStrategy) -> None:
    targets()
    assert claiming.take(spec(), 2, row=lambda row: f"no. {row[1]}") == ["no. 0", "no. 1"]


def test_a_source_that_joins_is_ordered_by_what_it_joins(claiming: ClaimStrategy) -> None:
    for rank in (3, 1, 2):
        Target.objects.create(priority=rank, campaign=Campaign.objects.create(rank=rank))
    source = (
        f"FROM {TARGET} INNER JOIN claims_campaign c ON c.id = {TARGET}.campaign_id"
        f" WHERE {TARGET}.status = %(old)s AND c.rank < 3 ORDER BY c.rank DESC"
    ).replace("c.rank", f"c.{claiming.session.dialect.quote('rank')}")
    joined = spec(columns=(f"{TARGET}.priority",), guard=f"{TARGET}.status = %(old)s", source=source, of=TARGET)
    assert [row[1] for row in claiming.take(joined, 5)] == [2, 1]


def test_joins_that_cannot_be_locked_remember_that_rivals_were_met(
    strategy: type[ClaimStrategy], rival: Rival, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on MariaDB: else all would go on meeting each other at the head."""
    if not strategy.__dict__.get("lock") and not issubclass(strategy, SkipLockedReturning):
        pytest.skip("it locks no rows")
    targets(12)
    session = Session("default")
    monkeypatch.setattr(session.connection.features, "has_select_for_update_of", False)
    claiming = strategy(session)
    # Keys of several columns, as otherwise PostgreSQL needs one statement and locks what it joins as well.
    joined = spec(key=("id", "fence"), columns=("priority", "fence"), of=TARGET)
    rivals = iter([0])

    def meet(sql: str) -> None:
        for n in rivals if sql.startswith("SELECT") else ():
            rival.does(lambda n=n: Target.objects.filter(priority=n).update(status=9))  # type: ignore[misc]

    with statements(also=meet) as sent:
        assert [row[2] for row in claiming.take(joined, 1)] == []
        sent.clear()
        assert len(claiming.take(joined, 1)) == 1
    assert "LIMIT 4" in next(sql for sql in sent if sql.startswith("SELECT"))


def test_columns_may_lie_in_other_tables(claiming: ClaimStrategy) -> None:
    made = [Child.objects.create(status=status) for status in (7, 8, 9)]
    source = "FROM claims_child INNER JOIN claims_base ON claims_base.id = claims_child.base_ptr_id"
    inherited = spec(
        table="claims_child",
        key="claims_child.base_ptr_id",
        columns=("claims_base.status", "claims_child.sent"),
        guard="claims_child.sent = %(old)s",
        write="sent = %(new)s",
        source=f"{source} WHERE claims_child.sent = %(old)s ORDER BY claims_base.status DESC",
        of="claims_child",
        reread=source,
        elsewhere=True,
        params={"old": False, "new": True},
    )
    assert claiming.take(inherited, 2) == [(made[2].pk, 9, True), (made[1].pk, 8, True)]
    assert claiming.take(inherited, 2) == [(made[0].pk, 7, True)]
    assert Base.objects.filter(child__sent=True).count() == 3


# -- reread ------------------------------------------------------------------------------------------------------


def test_what_is_read_again_is_what_was_written(claiming: ClaimStrategy) -> None:
    targets(tries=3)
    write = "status = %(new)s, tries = tries + 1, label = 'taken'"
    again = spec(columns=("priority", "tries", "label", "status"), write=write, reread=f"FROM {TARGET}")
    assert [row[1:] for row in claiming.take(again, 2)] == [(0, 4, "taken", 1), (1, 4, "taken", 1)]
    assert column("tries") == [4, 4, 3, 3, 3, 3]


# -- prove -------------------------------------------------------------------------------------------------------


def test_a_write_that_leaves_a_row_inside_the_guard_is_undone(claiming: ClaimStrategy) -> None:
    targets()
    Target.objects.filter(priority=1).update(fence=-1)
    for limit in (1, 2, 6):
        with pytest.raises(StillClaimable):
            claiming.take(spec(write="status = status, tries = 9", prove=True), limit)
    with pytest.raises(StillClaimable):
        claiming.take(spec(write="status = status + 1 + fence", prove=True), 6)
    assert column("status") == column("tries") == [0] * 6
    assert [row[1] for row in claiming.take(spec(write="status = status + 1 + fence", prove=True), 1)] == [0]


def test_a_write_that_proves_itself_on_the_rows_is_kept(claiming: ClaimStrategy) -> None:
    targets()
    proved = spec(write="status = status + 1", prove=True)
    assert [row[1] for row in claiming.take(proved, 4)] == [0, 1, 2, 3]
    assert [row[1] for row in claiming.take(proved, 4)] == [4, 5]
    assert column("status") == [1] * 6


def test_in_a_callers_transaction_a_failed_proof_undoes_nothing_else(strategy: type[ClaimStrategy]) -> None:
    targets()
    with transaction.atomic():
        Target.objects.filter(priority=5).update(tries=7)
        with pytest.raises(StillClaimable):
            strategy(Session("default")).take(spec(write="status = status", prove=True), 2)
        assert len(strategy(Session("default")).take(spec(write="status = status + 1", prove=True), 2)) == 2
    assert (column("status"), column("tries")) == ([1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 7])


def test_rows_that_the_guard_does_not_let_through_are_not_taken(claiming: ClaimStrategy) -> None:
    """As when a guard reads the clock, which has gone on since the rows were chosen."""
    targets()
    source = f"FROM {TARGET} WHERE status = %(old)s ORDER BY priority"
    for doubt in ({"prove": True}, {"fades": True}, {"prove": True, "fades": True}):
        passed = spec(guard="status = %(old)s AND priority > 3", source=source, **doubt)
        assert [row[1] for row in claiming.take(passed, 6)] == [4, 5]
        assert column("status") == [0, 0, 0, 0, 1, 1]
        assert claiming.take(spec(guard="status = %(old)s AND priority > 9", source=source, **doubt), 6) == []
        Target.objects.update(status=0)


def test_rows_that_slip_from_under_the_lock_are_an_error_that_undoes_all(strategy: type[ClaimStrategy]) -> None:
    """Where a lock is to prevent that, and nothing has said that it may be otherwise."""
    if not issubclass(strategy, LockThenWrite) or issubclass(strategy, SkipLockedReturning):
        pytest.skip("it believes the row count")
    targets()
    source = f"FROM {TARGET} WHERE status = %(old)s ORDER BY priority"
    slips = spec(guard="status = %(old)s AND priority > 3", source=source)
    for session in (OwnSession("default"), Session("default")):
        with pytest.raises(StrategyError, match=r"locked 6 rows of claims_target and then wrote 2: .*compare_and_swap"):
            strategy(session).take(slips, 6)
        session.close()
    with transaction.atomic():
        with pytest.raises(StrategyError):
            strategy(Session("default")).take(slips, 6)
        with pytest.raises(TransactionManagementError):
            column("status")
    assert column("status") == [0] * 6


def test_rows_whose_guard_is_unknown_are_not_taken(claiming: ClaimStrategy) -> None:
    targets()
    unknown = spec(guard="claimer = %(old)s", source=f"FROM {TARGET} ORDER BY priority", prove=True)
    assert claiming.take(unknown, 6) == []
    assert column("status") == [0] * 6


# -- keys of several columns -------------------------------------------------------------------------------------


def test_keys_of_several_columns(claiming: ClaimStrategy) -> None:
    pairs()
    assert [row[:2] for row in claiming.take(pair_spec(reread=f"FROM {PAIR}"), 2)] == [(1, 5), (0, 4)]
    assert claiming.take(pair_spec(reread=f"FROM {PAIR}"), 1) == [(1, 3, 1)]
    assert [row[:2] for row in claiming.take(pair_spec(prove=True), 9)] == [(0, 2), (1, 1), (0, 0)]
    assert not PairTarget.objects.exclude(status=1).exists()
    with pytest.raises(StillClaimable):
        claiming.take(pair_spec(guard="status = %(new)s", source=f"FROM {PAIR}", prove=True), 2)


# -- rivals ------------------------------------------------------------------------------------------------------


def test_rivals_wait_or_skip_and_never_share(session: Session, strategy: type[ClaimStrategy], rival: Rival) -> None:
    pairs()
    wanted = pair_spec(write="status = status + 1", prove=True)
    with session.transaction():
        held = strategy(session).take(wanted, 2)
        other = rival.start(lambda: strategy(Session("default")).take(wanted, 2))
        waited = waits(other)
    taken = other.result(PATIENCE)
    rest = list(drain(strategy(session), wanted))
    keys = [row[:2] for row in (*held, *taken, *rest)]
    assert (len(keys), len(set(keys))) == (6, 6)
    assert waited is ("SkipLocked" not in strategy.__name__)


def test_a_block_that_a_rival_has_partly_taken_is_halved(strategy: type[ClaimStrategy], rival: Rival) -> None:
    """Only where nothing is locked can a rival come between."""
    if strategy.__name__ != "CompareAndSwap":
        pytest.skip("it locks what it reads")
    pairs()
    session = OwnSession("default")

    def meet(execute: Any, sql: str, *rest: Any) -> Any:
        if sql == session.dialect.begin:  # to write what it has read
            rival.does(lambda: PairTarget.objects.filter(status=0, number__in=[1, 4]).update(status=9))
        return execute(sql, *rest)

    try:
        with session.connection.execute_wrapper(meet):
            taken = strategy(session).take(pair_spec(), 6)
    finally:
        session.close()
    assert [row[:2] for row in taken] == [(1, 5), (1, 3), (0, 2), (0, 0)]
    assert sorted(PairTarget.objects.filter(status=9).values_list("number", flat=True)) == [1, 4]


def test_many_at_once_share_no_row_and_leave_none(strategy: type[ClaimStrategy]) -> None:
    PairTarget.objects.bulk_create(PairTarget(tenant=n % 3, number=n) for n in range(60))
    wanted = pair_spec(write="status = status + 1", prove=True)
    sessions = [OwnSession("default", wait=60) for _ in range(4)]
    try:
        with futures.ThreadPoolExecutor(4) as pool:
            found = list(itertools.chain(*pool.map(lambda one: list(drain(strategy(one), wanted)), sessions)))
        found += drain(strategy(sessions[0]), wanted)
    finally:
        for session in sessions:
            session.close()
    assert (len(found), len(set(found))) == (60, 60)
    assert set(PairTarget.objects.values_list("status", flat=True)) == {1}


def drain(claiming: ClaimStrategy, wanted: ClaimSpec) -> Iterator[Any]:
    """Until twice nothing comes: a strategy may come back short."""
    empty = 0
    while empty < 2:
        rows = claiming.take(wanted, 4)
        empty = 0 if rows else empty + 1
        yield from rows
