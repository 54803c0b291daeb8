"""Hand-written histories: what the model allows passes, each kind of thing that it forbids does not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .allowed import GOOD, Rows
from .forbidden import BAD
from .written import Written


@pytest.mark.parametrize("history", GOOD, ids=lambda history: history.__name__)
def test_what_the_model_allows_passes(history: Callable[[Written], Rows]) -> None:
    written = Written()
    rows = history(written)
    verdict = written.verdict(**rows)
    assert verdict.forbidden == []
    assert (verdict.events, verdict.tasks) == (len(written.events), len(rows))


@pytest.mark.parametrize(("history", "rule"), BAD, ids=lambda value: getattr(value, "__name__", None))
def test_what_the_model_forbids_is_told_as_a_story(history: Callable[[Written], Rows], rule: str) -> None:
    written = Written()
    verdict = written.verdict(**history(written))
    assert verdict.forbidden, "it was allowed"
    assert any(rule in told for told in verdict.forbidden), "\n".join(verdict.forbidden)
    assert "pid" in verdict.forbidden[0]
