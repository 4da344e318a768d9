"""A real Airflow for the whole folder, and the table of what it went through."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from crash.scenes import DAGS, Props, Table, Theatre
from support.airflow_stack import AirflowStack
from support.orders import read_whole, write_orders
from visionbatch import CheckSettings
from visionbatch.pipelines.inputs import opened
from visionbatch_mock import MockConfig, MockServer

TABLE = pytest.StashKey[Table]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[TABLE] = Table()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    table = config.stash[TABLE]
    if not table.rows:
        return
    terminalreporter.section("crash table")
    terminalreporter.write(table.markdown())
    if target := os.environ.get("CRASH_TABLE"):
        Path(target).write_text(table.markdown())


@pytest.fixture(scope="session")
def props(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Props:
    home = tmp_path_factory.mktemp("crash")
    source = write_orders(home / "orders", photos=9)
    with opened(source, CheckSettings()) as checked:
        archive = read_whole(checked.ready())
    return Props(home, source, archive, pytestconfig.stash[TABLE])


@pytest.fixture(scope="session")
def theatre(props: Props) -> Iterator[Theatre]:
    with (
        MockServer(MockConfig(seed=11)) as mock,
        AirflowStack(props.home / "airflow", DAGS, settings=props.settings) as stack,
    ):
        yield Theatre(stack, mock, props)
