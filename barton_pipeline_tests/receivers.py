"""Local servers that stand where Slack, Discord and mail servers are, and keep what they get."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Request:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """What came to a local HTTP server; ``status`` is what it answers, ``before_answer`` is called in between."""

    port: int
    status: int = 200
    before_answer: Callable[[], object] | None = None
    requests: list[Request] = field(default_factory=list)

    def url(self, scheme: str) -> str:
        return f"{scheme}://127.0.0.1:{self.port}/secretpath"


@contextlib.contextmanager
def http_receiver() -> Iterator[Receiver]:
    """A server on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            receiver.requests.append(Request(self.command, self.path, dict(self.headers), body))
            if receiver.before_answer:
                receiver.before_answer()
            with contextlib.suppress(ConnectionError):
                self.send_response(receiver.status)
                self.end_headers()
                self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver = Receiver(server.server_port)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
