"""What a server says reaches a log, an exception or a manifest as one line without effects on a terminal."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from support.runs import run_through
from visionbatch.errors import VisionBatchError
from visionbatch_mock.tenant import Tenant

HOSTILE = "in_review\r\n2026-01-01 ERROR forged\x1b[2J\x1b]0;title\x07\u202e\u2028end"
CREATE, GET, ERRORS = "deepomatic.batches.create", "deepomatic.batches.get", "deepomatic.batches.errors"


def answer(status: int, body: Any) -> dict[str, Any]:
    return {"fault": "answer", "status": status, "body": body if isinstance(body, str) else json.dumps(body)}


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name.startswith("visionbatch.")]


@pytest.mark.fault("SC10")
def test_no_text_of_the_server_begins_a_line_or_moves_the_cursor(
    site: Any, orders: Path, tenant: Tenant, faults: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    tenant.configure(
        profile="rich", status_words={"processing": HOSTILE}, processing_s=60, analysis_failures={"WO_1": HOSTILE}
    )
    faults(CREATE, answer(503, HOSTILE))
    faults(GET, "pass", answer(503, {"detail": HOSTILE}), answer(500, HOSTILE), "html-502")
    record = {"code": HOSTILE, "message": HOSTILE, "work_order": HOSTILE, "file": HOSTILE, "level": "error"}
    faults(ERRORS, answer(200, [record]))

    manifest = run_through(site(), orders)

    said = lines(caplog)
    assert any("forged" in line for line in said), "the test has to meet what it is about"
    assert [line for line in said if not line.isprintable()] == []
    assert str(manifest.outcome).isprintable()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409])
def test_no_text_of_the_server_breaks_the_line_of_an_error(
    site: Any, orders: Path, faults: Any, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    faults(CREATE, answer(status, {"detail": HOSTILE, HOSTILE: [HOSTILE]}))
    with pytest.raises(VisionBatchError) as caught:
        run_through(site(), orders)
    assert "forged" in str(caught.value) or status in {401, 403, 404}
    assert [line for line in [*lines(caplog), caught.value.what] if not line.isprintable()] == []
