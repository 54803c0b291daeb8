"""Servers in containers, where a Docker engine answers and testcontainers is installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from compat_matrix.errors import ServerError
from compat_matrix.matrix import Database

PASSWORD = "test"


def why_not() -> str | None:
    """Why no container can be started here; None if one can."""
    try:
        import docker
        import testcontainers.core  # noqa: F401
    except ImportError:
        return "testcontainers is not installed"
    try:
        docker.from_env(timeout=5).ping()
    except Exception as error:  # docker lets errors of several libraries through
        return f"no Docker engine answers ({type(error).__name__})"
    return None


@contextmanager
def container_url(database: Database) -> Iterator[str]:
    """Start the row's image and yield the URL of a user who may create databases."""
    from testcontainers.mysql import MySqlContainer
    from testcontainers.postgres import PostgresContainer

    assert database.image is not None
    if database.kind == "postgresql":
        container = PostgresContainer(database.image, username="postgres", password=PASSWORD, dbname="postgres")
        scheme, user, port, name = "postgres", "postgres", 5432, "postgres"
    else:
        container = MySqlContainer(
            database.image, username="root", root_password=PASSWORD, dbname="django_simple_queue"
        )
        scheme, user, port, name = "mysql", "root", 3306, "django_simple_queue"
    try:
        container.start()
    except Exception as error:
        raise ServerError(f"the container {database.image} did not start: {error}") from error
    try:
        address = f"{container.get_container_host_ip()}:{container.get_exposed_port(port)}"
        yield f"{scheme}://{user}:{PASSWORD}@{address}/{name}"
    finally:
        container.stop()
