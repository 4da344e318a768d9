"""Data Staging that throws away what it takes: the answers of four calls, and signed addresses that lead to itself.

Run: ``python -m benchmarks.roboflow_sink [--latency 0.03]``; it prints its URL.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys

from benchmarks.sink import Head, Sink, response


class StagingSink(Sink):
    """No batch is there before, every archive is taken."""

    _slots = itertools.count(1)

    def reply(self, head: Head) -> bytes:
        if head.method == "PUT":
            return response("200 OK", "")
        if head.path == "/":
            return response("200 OK", json.dumps({"workspace": "bench"}))
        if head.path.endswith(("/image-files", "/video")):
            url = f"{self.url}/slot/{next(self._slots)}"
            return response("200 OK", json.dumps({"signedURLDetails": {"uploadURL": url, "extensionHeaders": {}}}))
        if head.method == "GET":
            return response("404 Not Found", json.dumps({"error": "no such batch"}))
        return response("200 OK", json.dumps({"status": "ok"}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, default=0.0)
    sink = StagingSink(parser.parse_args().latency)
    sys.stdout.write(f"{sink.url}\n")
    sys.stdout.flush()
    sink.serve()
