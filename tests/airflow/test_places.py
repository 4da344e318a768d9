"""Where files for an object store lie on the worker's disk meanwhile."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("airflow")]


@pytest.fixture
def spool_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Path]:
    """What `folder` makes in a temporary directory of this test's own."""
    from airflow_visionbatch import places  # noqa: PLC0415

    shared = tmp_path / "tmp"
    shared.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(shared))

    def made() -> Path:
        places.folder(f"file://{tmp_path}/out", "")
        (spool,) = shared.iterdir()
        return spool

    return made


def refused(spool_of: Callable[[], Path]) -> str:
    from visionbatch.errors import ConfigError  # noqa: PLC0415

    with pytest.raises(ConfigError) as caught:
        spool_of()
    return str(caught.value)


def test_the_spool_folder_is_this_users_alone_and_found_again(spool_of):
    spool = spool_of()
    assert stat.S_IMODE(spool.stat().st_mode) == 0o700
    assert spool_of() == spool


def test_a_planted_link_is_refused(spool_of, tmp_path):
    spool = spool_of()
    spool.rmdir()
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    spool.symlink_to(tmp_path / "elsewhere")
    assert str(spool) in refused(spool_of)


@pytest.mark.parametrize("mode", [0o720, 0o707, 0o750])
def test_a_folder_that_others_may_enter_is_refused(spool_of, mode):
    spool = spool_of()
    spool.chmod(mode)
    assert "somebody else" in refused(spool_of)


def test_a_folder_of_somebody_else_is_refused(spool_of, monkeypatch):
    from airflow_visionbatch import places  # noqa: PLC0415

    spool_of()
    another = SimpleNamespace(geteuid=lambda: os.geteuid() + 1)
    monkeypatch.setattr(places, "os", another)
    assert "somebody else" in refused(spool_of)


def test_a_file_in_its_place_is_refused(spool_of):
    spool = spool_of()
    spool.rmdir()
    spool.write_bytes(b"")
    assert str(spool) in refused(spool_of)
