"""A stand-in for the Hugging Face hub on this machine: serves folders of models over HTTP, as the hub's client asks."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0" * 40


@contextmanager
def hub(models: Path) -> Iterator[str]:
    """Serve `models`/OWNER/NAME/FILE at every revision, and yield the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer()

        def do_GET(self) -> None:
            self.wfile.write(self._answer())

        def _answer(self) -> bytes:
            owner, name, resolve, *rest = [*self.path.strip("/").split("/"), "", "", ""][:6]
            path = models / owner / name / (rest[1] if resolve == "resolve" else "")
            is_there = path.is_file()
            content = path.read_bytes() if is_there else b""
            self.send_response(200 if is_there or self.path == "/" else 404)
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("Content-Length", str(len(content)))
            if not is_there:
                self.send_header("X-Error-Code", "EntryNotFound")
            self.end_headers()
            return content

        def log_message(self, *arguments) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
