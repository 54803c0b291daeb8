"""A TCP proxy in front of a database server: lets everything through, cuts it, or swallows it."""

from __future__ import annotations

import contextlib
import select
import socket
import threading


class Proxy:
    """Forwards connections to a server, in a thread of its own."""

    def __init__(self, host: str, port: int) -> None:
        self.target = (host, port)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.swallow = False  # take what is sent and answer nothing
        self.pairs: dict[socket.socket, socket.socket] = {}
        self.cut_wanted = False
        self.closing = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def cut(self) -> None:
        """Close every connection that is open."""
        self.cut_wanted = True

    def close(self) -> None:
        """Cut all, and take no more."""
        self.closing = True
        self.thread.join()
        for one in [*self.pairs]:
            self._close(one)
        self.listener.close()

    def _run(self) -> None:
        while not self.closing:
            if self.cut_wanted:
                self.cut_wanted = False
                for one in [*self.pairs]:
                    self._close(one)
            waiting = [self.listener, *self.pairs]
            try:
                ready, _, _ = select.select(waiting, [], [], 0.05)
            except (OSError, ValueError):
                for one in [*self.pairs]:
                    if one.fileno() < 0:
                        self.pairs.pop(one, None)
                continue
            for one in ready:
                if one is self.listener:
                    self._accept()
                elif one in self.pairs:
                    self._forward(one)

    def _accept(self) -> None:
        client, _ = self.listener.accept()
        try:
            server = socket.create_connection(self.target, timeout=2)
        except OSError:
            client.close()
            return
        for one, other in ((client, server), (server, client)):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.pairs[one] = other

    def _forward(self, one: socket.socket) -> None:
        try:
            data = one.recv(65536)
            if data and not self.swallow:
                self.pairs[one].sendall(data)
        except OSError:
            data = b""
        if not data:
            self._close(one)

    def _close(self, one: socket.socket) -> None:
        other = self.pairs.pop(one, None)
        if other is not None:
            self.pairs.pop(other, None)
        for each in (one, other):
            if each is not None:
                with contextlib.suppress(OSError):
                    each.close()
