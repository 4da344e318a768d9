"""Makes the pictures of the mock's dashboard: a mock with a day's work in it, and Chromium without a window.

`python docs/pictures/make.py` writes them beside this file; `--serve PORT` leaves the mock running to look around in.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests
from PIL import Image, ImageDraw

from visionbatch_mock import MockConfig, MockServer

HERE = Path(__file__).parent
KEY, BUCKET, QUANTUM = "demo", "inspections-export", 262_144
PATIENCE_S = 60
MORNING = 1_795_420_800.0
STAGING = "/data-staging/v1/external/mock-workspace/batches"
LIVES = {
    **{f"camera-{number:02}": ["PENDING", "STARTING", "FAILED"] for number in (4, 9, 23)},
    **{f"camera-{number:02}": ["PENDING", "LACK_OF_RESOURCES"] for number in (27, 28)},
    **{f"camera-{number:02}": ["RUNNING", "SUCCEEDED"] for number in (24, 25, 26)},
    "camera-11": ["PENDING", "STARTING", "RUNNING", "ABNORMAL"],
    "camera-12": ["PENDING", "STARTING", "RUNNING"],
}
"""What becomes of cameras that do not end well."""

JOBS = "/batch-processing/v1/external/mock-workspace/jobs"


def photo(shade: int, shape: str = "JPEG", side: int = 160) -> bytes:
    """A made-up cabinet."""
    picture = Image.new("RGB", (side, side * 3 // 4), ((shade * 37) % 120 + 90, (shade * 59) % 100 + 100, 150))
    pen = ImageDraw.Draw(picture)
    pen.rectangle(
        (side // 4, side // 8, side * 3 // 4, side * 5 // 8), fill=(60, 70, 84), outline=(230, 235, 240), width=3
    )
    for row in range(3):
        pen.ellipse((side // 3, side // 6 + row * 24, side // 3 + 14, side // 6 + row * 24 + 14), fill=(90, 210, 140))
    held = io.BytesIO()
    picture.save(held, shape)
    return held.getvalue()


def zipped(files: Mapping[str, bytes]) -> bytes:
    """An archive as the vendor wants it."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return held.getvalue()


def orders(count: int, broken: int = 0, ballast: int = 0) -> bytes:
    """Work orders, the last of them without a photo; `ballast` bytes make each larger."""
    sound = {f"site-{n:03}/cabinet.jpg": photo(n) + bytes(ballast) for n in range(count - broken)}
    return zipped({**sound, **{f"site-{n:03}/notes.jpg": b"no photo" for n in range(count - broken, count)}})


def kept(asked: requests.Response, total: int) -> int:
    """How far the server says that the upload is."""
    if asked.status_code != 308:
        return total
    return int(asked.headers["Range"].rpartition("-")[2]) + 1 if "Range" in asked.headers else 0


class Day:
    """What one customer does in the mock."""

    def __init__(self, mock: MockServer) -> None:
        self.url = mock.url
        self.tenant = mock.world.tenant(KEY)
        self.http = requests.Session()
        self.http.headers["Authorization"] = f"Token {KEY}"

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        """One request."""
        address = path if "://" in path else self.url + path
        return self.http.request(method, address, timeout=PATIENCE_S, **options)

    def wait(self, seconds: float) -> None:
        """Let the clock go on, and commit what is due."""
        self.tenant.clock.advance(seconds)
        self.tenant.settle()

    def send(self, archive: bytes, name: str) -> str:
        """A batch in one request."""
        made = self.call("POST", "/v0.2/batches", json={"filename": name}).json()
        self.call("PUT", made["upload_url"], data=archive)
        return str(made["batch_id"])

    def send_in_trouble(self, archive: bytes, stop: float) -> str:
        """A batch in chunks, with a client that believes the server about the offset."""
        made = self.call("POST", "/v0.2/batches", json={"filename": "night-shift.zip"}).json()
        at, total = 0, len(archive)
        while at < total * stop:
            end = min(at + 2 * QUANTUM, total)
            headers = {"Content-Range": f"bytes {at}-{end - 1}/{total}"}
            with contextlib.suppress(requests.ConnectionError):
                self.call("PUT", made["upload_url"], data=archive[at:end], headers=headers)
            self.wait(4)
            asked = self.call("PUT", made["upload_url"], headers={"Content-Range": f"bytes */{total}"})
            at = kept(asked, total)
        return str(made["batch_id"])

    def deepomatic(self) -> str:
        """Four batches; the id of the one that met most faults."""
        for archive, name, wait in (
            (orders(48), "depot-north.zip", 400),
            (orders(20, broken=3), "depot-south.zip", 500),
            (b"no archive at all", "wrong-file.zip", 300),
        ):
            self.send(archive, name)
            self.wait(wait)
        faults = [
            "pass",
            "pass",
            "return-503",
            "pass",
            "partial-persist-256K",
            "pass",
            "pass",
            "reset-mid-body-after-300K",
        ]
        faults += ["pass", "return-503", "return-503", "pass", "pass", "partial-persist-256K", "pass", "return-429"]
        self.tenant.faults.plan({"instructions": {"storage.sessions.chunk": faults}})
        troubled = self.send_in_trouble(orders(12, ballast=QUANTUM * 3), 1.0)
        self.wait(150)
        self.tenant.faults.plan({"preset": "UP6"})
        return troubled

    def stage(self) -> None:
        """A staging batch of shards, one of them damaged."""
        for number in range(5):
            signed = self.call("POST", f"{STAGING}/poles/bulk-upload/image-files").json()["signedURLDetails"]
            content = self.tar(number) if number != 3 else b"damaged"
            requests.put(signed["uploadURL"], data=content, headers=signed["extensionHeaders"], timeout=PATIENCE_S)
        self.wait(20)

    def run_job(self, name: str, wait: float) -> None:
        """A job over it."""
        self.call("POST", f"{JOBS}/{name}", json=definition("poles"))
        self.wait(wait)

    def tar(self, number: int) -> bytes:
        """A shard."""
        held = io.BytesIO()
        with tarfile.open(fileobj=held, mode="w") as archive:
            for place in range(6):
                content = photo(number * 10 + place)
                info = tarfile.TarInfo(f"pole-{number}-{place}.jpg")
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        return held.getvalue()

    def watch(self, name: str, first: int, wait: float) -> None:
        """A batch task over sixteen cameras."""
        book = self.tenant.vias
        group = book.places.add_group(name.replace(" ", "-"))
        names = [f"camera-{number:02}" for number in range(first, first + 16)]
        sources = [book.places.add_source(each, "obs", group_ids=(group.id,)).id for each in names]
        told = {"video_source_group_id": group.id, "video_source_list": [{"video_source_id": each} for each in sources]}
        fields = {"name": name, "service_name": "intrusion", "service_version": "1.0", "output": {"event_center": True}}
        with book.lock:
            asked = {**fields, "batch_input": {"video_source_group": [told]}}
            book.create_batch(asked, book.places.chosen_of([told]))
        self.wait(wait)

    def export(self) -> None:
        """A daily export with its photos."""
        told = {"storage_uri": f"gs://{BUCKET}/prod/", "interval": "daily", "export_images": True}
        made = self.tenant.exports.create(**told)
        made.run(since=MORNING - 86_400)


def definition(batch_id: str) -> dict[str, Any]:
    """A job over a staging batch."""
    run = {"type": "workflows-processing-specification-v1", "workspace": "mock-workspace", "workflowId": "defects"}
    return {
        "type": "simple-image-processing-v1",
        "jobInput": {"type": "staging-batch-input-v1", "batchId": batch_id},
        "computeConfiguration": {"type": "compute-configuration-v2", "machineType": "gpu"},
        "processingSpecification": run,
    }


def live_through(mock: MockServer) -> str:
    """The day; the id of the batch with the upload map that has most to tell."""
    day = Day(mock)
    day.tenant.clock.freeze()
    day.tenant.clock.set(MORNING)
    day.tenant.configure(
        queued_s=40, processing_s=120, roboflow_indexing_s=8, roboflow_queued_s=20, roboflow_processing_s=120,
        roboflow_export_s=30, vias_lives=LIVES, vias_durations={"PENDING": 40, "STARTING": 60, "RUNNING": 200},
    )  # fmt: skip
    day.watch("night patrol", 1, 320)
    day.stage()
    day.run_job("poles-v1", 300)
    troubled = day.deepomatic()
    day.export()
    day.watch("gate cameras", 21, 30)
    day.run_job("poles-v2", 50)
    day.send_in_trouble(orders(6, ballast=QUANTUM * 4), 0.6)
    return troubled


def shoot(url: str, target: Path, *, dark: bool, width: int, height: int) -> None:
    """One picture of a page."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("there is no Chromium here")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        raw = Path(home) / "raw.png"
        command = [
            chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
            f"--user-data-dir={home}/profile", f"--window-size={width},{height}", "--force-device-scale-factor=1.5",
            f"--blink-settings=preferredColorScheme={0 if dark else 1}", f"--screenshot={raw}", url,
        ]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE_S)
        with Image.open(raw) as picture:
            picture.convert("RGB").save(target, "WEBP", quality=82, method=6)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", type=int, metavar="PORT", help="leave the mock running")
    told = parser.parse_args()
    with MockServer(MockConfig(seed=11), port=told.serve or 0) as mock:
        batch_id = live_through(mock)
        if told.serve is not None:
            print(f"{mock.url}/ and {mock.url}/_dashboard/batches/{batch_id}")  # noqa: T201 - speaks to a person
            mock.world.stopping.wait()
        shoot(f"{mock.url}/_dashboard/", HERE / "dashboard.webp", dark=False, width=1280, height=1035)
        shoot(f"{mock.url}/_dashboard/batches/{batch_id}", HERE / "upload-map.webp", dark=True, width=1280, height=860)


if __name__ == "__main__":
    main()
