"""A service with one output batch, which answers each request after a pause: files from the disk, listed in pages.

Run: ``python -m benchmarks.results_server FOLDER [--pause 0.03]``; it prints its URL. The files of the
folder are the batch's.
"""

from __future__ import annotations

import argparse
import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

BATCH = "j-1-export"
PART = "results"
PAGE = 50
DATE = "2026-01-02T03:04:05Z"


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    # Head and body leave in two pieces: without this the body waits 40 ms for the head's acknowledgement.
    disable_nagle_algorithm = True
    folder: Path
    pause: float

    def do_GET(self) -> None:  # the library's name
        """Answer, after a pause."""
        time.sleep(self.pause)
        asked = urlsplit(self.path)
        if asked.path.startswith("/files/"):
            self._file(self.folder / asked.path.rpartition("/")[2])
        else:
            self._json(self._told(asked.path, parse_qs(asked.query)))

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def _told(self, path: str, query: dict[str, list[str]]) -> object:
        if path == "/":
            return {"workspace": "w"}
        if path.endswith("/parts"):
            return {"batchParts": [{"partName": PART, "partType": "simple-part", "contentType": "images"}]}
        if path.endswith("/list"):
            return self._page(int(query.get("nextPageToken", ["0"])[0]))
        if path.endswith("/count"):
            return {"count": sum(1 for _ in self.folder.iterdir())}
        told = {"displayName": BATCH, "batchId": BATCH, "batchType": "multipart-batch", "batchContentType": "images"}
        return {"batch": {**told, "createdDate": DATE, "expiryDate": DATE}}

    def _page(self, start: int) -> object:
        names = sorted(path.name for path in self.folder.iterdir())
        url = f"http://{self.headers['Host']}/files"
        files = [
            {"downloadURL": f"{url}/{name}", "fileName": name, "partName": PART, "contentType": "images"}
            for name in names[start : start + PAGE]
        ]
        return {"filesMetadata": files, "nextPageToken": str(start + PAGE) if start + PAGE < len(names) else None}

    def _json(self, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _file(self, path: Path) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(path.stat().st_size))
        self.send_header("ETag", f'"{path.name}"')
        self.end_headers()
        self.wfile.flush()
        with path.open("rb") as file:
            self.connection.sendfile(file)


def main() -> None:
    """Serve until it is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pause", type=float, default=0.03)
    told = parser.parse_args()
    Handler.folder, Handler.pause = told.folder, told.pause
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        print(f"http://127.0.0.1:{server.server_port}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
