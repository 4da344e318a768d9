"""Makes the picture of an export's report: three weeks of made-up work orders, read as a user's are.

`python docs/pictures/report.py` writes it beside this file.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from make import HERE, shoot

from visionbatch import ExportLayout, GcsBucket, LocalFolder, export_report, export_tables, fetch_export
from visionbatch_mock import MockConfig, MockServer

WEEKS = {"count": 900, "seed": 4, "days": 21, "first_day": 1_793_577_600.0, "inputs": 1}


def main() -> None:
    """The command."""
    with MockServer(MockConfig(seed=11)) as mock, tempfile.TemporaryDirectory() as home:
        os.environ["STORAGE_EMULATOR_HOST"] = mock.url
        tenant = mock.world.tenant("demo")
        export = tenant.exports.create(storage_uri="gs://my-exports/prod", interval="daily", export_images=True)
        export.seed({"generate": WEEKS})
        export.run()
        tenant.settle()
        with GcsBucket("my-exports") as bucket:
            fetch_export(bucket, ExportLayout("prod/"), LocalFolder(Path(home)))
        tables, page = Path(home) / "tables", Path(home) / "report.html"
        export_tables(sorted(Path(home).rglob("*.jsonl")), tables)
        export_report(tables, page, title="Fibre roll-out, November 2026")
        shoot(page.as_uri(), HERE / "report.webp", dark=False, width=1180, height=1000)


if __name__ == "__main__":
    main()
