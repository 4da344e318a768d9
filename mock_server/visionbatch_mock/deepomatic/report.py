"""The error report of a batch, in whichever format the tenant's setting names."""

import csv
import io
import json
from collections.abc import Sequence

from flask import Response

from visionbatch_mock.answers import json_answer
from visionbatch_mock.config import ErrorReport
from visionbatch_mock.deepomatic.problems import Problem

COLUMNS = ("work_order", "file", "code", "message", "level")


def error_report(problems: Sequence[Problem], form: ErrorReport) -> Response:
    """The report as an answer."""
    records = [problem.as_json() for problem in problems]
    if form is ErrorReport.JSONL:
        lines = "".join(f"{json.dumps(record)}\n" for record in records)
        return Response(lines, content_type="application/x-ndjson")
    if form is ErrorReport.CSV:
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS)
        writer.writeheader()
        writer.writerows(records)
        return Response(text.getvalue(), content_type="text/csv; charset=utf-8")
    return json_answer(records)
