"""Who looks: nobody, a user, a member of the staff and a superuser."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from django_simple_queue import checks


def client_of(**rights: Any) -> Client:
    client = Client()
    client.force_login(User.objects.create_user("somebody", "somebody@example.org", "secret", **rights))
    return client


@pytest.fixture
def anonymous() -> Client:
    return Client()


@pytest.fixture
def user(db: None) -> Client:
    return client_of()


@pytest.fixture
def staff(db: None) -> Client:
    return client_of(is_staff=True)


@pytest.fixture
def superuser(db: None) -> Client:
    return client_of(is_staff=True, is_superuser=True)


@pytest.fixture(autouse=True)
def atomic_callables(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What this process has seen of them depends on which tests were imported."""
    seen: list[str] = []
    monkeypatch.setattr(checks, "atomic_callables", seen)
    return seen
