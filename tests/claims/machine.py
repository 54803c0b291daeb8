"""Claimers of a project's own rows and people who change them, in any order; after each step the model says the same.

One thread plays all: each has an alias of the same database. A transaction of a claimer's may stay open for a while;
what it has written is its own `view`, which the others do not see and rows of which they may not get.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import Error, connection, connections, transaction
from django.test import override_settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from django_simple_queue.claims import ClaimError, claim_rows

from .case import ClaimsCase, skips_locked
from .crew import wait_for
from .kinds import KINDS, Kind, Row
from .models import Target
from .people import CLAIMERS, PEOPLE, Claimer, Key, People, columns, expected_columns, is_busy, or_gives_up, picks

whos, limits = st.integers(0, 2), st.integers(1, 3)


class ClaimMachine(People):
    """Each rule is one thing that somebody does, on the real database and in the model."""

    skipping: Collection[str] = ()  # aliases of those whose claims skip locked rows

    @rule(who=whos, name=st.sampled_from(list(KINDS)), limit=limits, hold=st.booleans())
    def claim(self, who: int, name: str, limit: int, hold: bool) -> None:
        """Claim and commit, or keep the transaction open; go on in one that is open."""
        claimer, kind = self.claimers[who], KINDS[name]
        others = [other for other in self.claimers if other is not claimer and other.open]
        if others and not self.skips_locked(claimer, kind) and not self.waits:
            return
        if self.gone and not any(one.open for one in self.claimers):
            wait_for(self.are_free, "the database to see that a claimer is gone")
            self.gone = False
        if hold and not claimer.open:
            claimer.begin()
        expected = self.expected(claimer, kind)
        if claimer.open:  # InnoDB locks what it has to sort, too
            claimer.locked |= set(expected)
        try:
            found = claim_rows(kind.rows, limit=limit, updates=kind.updates, using=claimer.alias, wait=0)
        except ClaimError:
            assert kind.refused == "always" or (kind.refused and expected), "refused without need"
            return
        except Error as error:
            if not is_busy(error):
                raise
            self.waits = max(0, self.waits - 1)
            assert others or self.gone, "busy, but nobody else is at it"
            if claimer.open:
                claimer.end(ZeroDivisionError())
            return
        assert not kind.refused or not found, "claimed what could be claimed again"
        self.check(claimer, kind, limit, found, expected, alone=not others and not self.gone)
        for one in found:
            self.note(claimer, kind, one)

    def skips_locked(self, claimer: Claimer, kind: Kind) -> bool:
        # No strategy locks through a join where it could not leave out what is joined.
        of = connection.features.has_select_for_update_of or kind.name != "join"
        return of and skips_locked() and claimer.alias in self.skipping

    def seen_by(self, claimer: Claimer) -> dict[Key, Row]:
        return self.rows | claimer.view

    def expected(self, claimer: Claimer, kind: Kind) -> list[Key]:
        """The rows that match for this claimer, in the claim's order."""
        seen = self.seen_by(claimer)
        keys = [key for key, row in seen.items() if row.model is kind.model and kind.matches(row)]
        return sorted(keys, key=lambda key: kind.order(key[1], seen[key]))

    def check(
        self, claimer: Claimer, kind: Kind, limit: int, found: list[Any], expected: list[Key], *, alone: bool
    ) -> None:
        keys = [(kind.model, one.pk) for one in found]
        held = {key for other in self.claimers if other is not claimer for key in other.view}
        assert len(keys) <= limit
        assert not held & set(keys), "claimed while another has it"
        places = [expected.index(key) for key in keys if key in expected]
        assert len(places) == len(keys), "claimed though it does not match"
        assert places == sorted(set(places)), "not in the queryset's order, or twice"
        if alone and not kind.refused:
            assert len(keys) == min(limit, len(expected)), "nobody else is there, but it did not come"

    def note(self, claimer: Claimer, kind: Kind, one: Any) -> None:
        """What was claimed is written in the model, and the instance shows what the row has."""
        key = (kind.model, one.pk)
        row = dataclasses.replace(self.seen_by(claimer)[key])
        kind.effect(row)
        assert columns(one) == expected_columns(row)
        if claimer.open:
            claimer.view[key] = row
        else:
            self.rows[key] = row
        if kind.name == "lease column":
            self.given = [*self.given[-5:], (key, row.fence)]

    @rule(who=whos, end=st.sampled_from(["commit", "commit", "roll back", "disconnect"]))
    @precondition(lambda self: any(claimer.open for claimer in self.claimers))
    def end(self, who: int, end: str) -> None:
        claimer = self.claimers[who]
        if not claimer.open:
            return
        if end == "commit":
            try:
                self.rows |= claimer.end()
            except Error as error:
                if not is_busy(error):
                    raise
        elif end == "roll back":
            claimer.end(ZeroDivisionError())
        else:
            claimer.disconnect()
            self.gone = True

    def are_free(self) -> bool:
        """Whether nobody has locked any row."""
        if not connections[PEOPLE].features.has_select_for_update:
            return True  # there who is gone is gone at once
        try:
            with transaction.atomic(using=PEOPLE):
                for model, pk in self.rows:
                    list(model.objects.using(PEOPLE).select_for_update().filter(pk=pk))
        except Error as error:
            if is_busy(error):
                return False
            raise
        return True

    @rule(pick=picks)
    @precondition(lambda self: self.given)
    def finish(self, pick: int) -> None:
        """Who has leased a row ends it by its fence, and believes the count."""
        key, fence = self.given[pick % len(self.given)]
        if self.is_held(key):
            return

        @or_gives_up
        def step(self: ClaimMachine) -> None:
            ended = Target.objects.using(PEOPLE).filter(pk=key[1], fence=fence).update(status=2, lease_until=None)
            row = self.rows.get(key)
            assert ended == bool(row and row.fence == fence)
            if ended:
                self.rows[key].status, self.rows[key].leased = 2, False

        step(self)

    @rule(who=whos, pick=picks, status=st.sampled_from([0, 2]))
    def write_in_a_transaction(self, who: int, pick: int, status: int) -> None:
        """A rival that claims nothing, but has the row for as long as its transaction lasts."""
        claimer, key = self.claimers[who], self.picked(pick)
        if key is None or key[0] is not Target:
            return
        if not claimer.open:
            claimer.begin()
        try:
            Target.objects.using(claimer.alias).filter(pk=key[1]).update(status=status)
        except Error as error:
            if not is_busy(error):
                raise
            claimer.end(ZeroDivisionError())
        else:
            claimer.view[key] = dataclasses.replace(self.rows[key], status=status)


@contextmanager
def on_stage(case: ClaimsCase, *strategies: str) -> Iterator[type[ClaimMachine]]:
    """The machine with its connections; the claimers take these strategies in turn."""
    chosen = {alias: strategies[i % len(strategies)] for i, alias in enumerate(CLAIMERS)}
    skipping = [alias for alias, name in chosen.items() if name in ("auto", "skip_locked")]
    settings = override_settings(DJANGO_SIMPLE_QUEUE_CLAIM_STRATEGY=chosen)
    with case.aliases(PEOPLE, *CLAIMERS, skipping=skipping), settings:
        yield type("Machine", (ClaimMachine,), {"skipping": skipping})
