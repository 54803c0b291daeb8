"""Servers in containers, where a Docker engine answers and testcontainers is installed."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from compat_matrix.errors import ServerError
from compat_matrix.matrix import Database
from compat_matrix.mysql import greets

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

PASSWORD = "test"
DATABASE = "django_simple_queue"
START_SECONDS = 180


def why_not() -> str | None:
    """Why no container can be started here; None if one can."""
    try:
        import docker
        import testcontainers.core.container  # noqa: F401
    except ImportError:
        return "testcontainers is not installed"
    logging.getLogger("docker").setLevel(logging.WARNING)  # nox shows everything
    try:
        docker.from_env(timeout=5).ping()
    except Exception as error:  # docker lets errors of several libraries through
        return f"no Docker engine answers ({type(error).__name__})"
    return None


@contextmanager
def container_url(database: Database) -> Iterator[str]:
    """Start the row's image and yield the URL of a user who may create databases."""
    from testcontainers.core.container import DockerContainer

    assert database.image is not None
    container = DockerContainer(database.image)
    if database.kind == "postgresql":
        container.with_envs(POSTGRES_PASSWORD=PASSWORD, POSTGRES_DB=DATABASE)
        user, port = "postgres:" + PASSWORD, 5432
    else:
        container.with_envs(MYSQL_ROOT_PASSWORD=PASSWORD, MYSQL_DATABASE=DATABASE)
        user, port = "root:" + PASSWORD, 3306
    container.with_exposed_ports(port)
    try:
        _start(container, database.image)
        host, outside = container.get_container_host_ip(), int(container.get_exposed_port(port))
        _wait(database, container, host, outside)
        scheme = "postgres" if database.kind == "postgresql" else "mysql"
        yield f"{scheme}://{user}@{host}:{outside}/{DATABASE}"
    finally:
        container.stop()


def _start(container: DockerContainer, image: str) -> None:
    try:
        container.start()
    except Exception as error:  # the image cannot be had, or one of Docker's many others
        raise ServerError(f"the container {image} did not start: {error}") from error


def _wait(database: Database, container: DockerContainer, host: str, port: int) -> None:
    """Wait for the server that stays: the one that fills the data folder takes no TCP connections."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if database.kind == "postgresql":
            if container.exec(["pg_isready", "--host=127.0.0.1"]).exit_code == 0:
                return
        elif greets(host, port):
            return
        time.sleep(0.5)
    raise ServerError(f"the container {database.image} was not ready after {START_SECONDS} s: see docker logs")
