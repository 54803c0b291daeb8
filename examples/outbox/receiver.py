"""The other side: a web server that knows messages again, refuses old ones, and makes two kinds of trouble."""

import os
import signal
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KILL, HOLD = 20, 40  # at which message, counted as they come, the trouble is made


class Receiver(ThreadingHTTPServer):
    """Keeps for each message how often it came and the largest fence that it came with.

    The sender of one message is killed once it is here: too late to say that it was sent. Another message is held up,
    as a network may do, until it has come again from somebody with a later claim.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Condition()
        self.received: Counter[str] = Counter()  # accepted deliveries of each message
        self.fences: dict[str, int] = {}
        self.refused: list[tuple[str, int]] = []  # older ones that came late
        self.came = 0
        self.killed = 0  # the process that was

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"

    def accept(self, key: str, fence: int, sender: int) -> bool:
        with self.lock:
            self.came += 1
            if self.came == HOLD:
                self.lock.wait_for(lambda: self.fences.get(key, 0) > fence, timeout=15)
            elif self.came == KILL:
                os.kill(sender, signal.SIGKILL)
                self.killed = sender
            if self.fences.get(key, 0) > fence:
                self.refused.append((key, fence))
                return False
            self.fences[key] = fence
            self.received[key] += 1
            self.lock.notify_all()
            return True


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        key, fence, sender = self.headers["Idempotency-Key"], self.headers["Fence"], self.headers["Sender"]
        try:
            self.send_response(200 if self.server.accept(key, int(fence), int(sender)) else 409)
            self.end_headers()
        except BrokenPipeError:
            pass  # whom we have killed

    def log_message(self, *args: object) -> None:
        pass
