"""``visionbatch vias fetch``: results of VIAS out of their bucket."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from visionbatch.cli.answers import answer
from visionbatch.errors import ConfigError, ExitCode
from visionbatch.io.folders import LocalFolder
from visionbatch.io.landing import LocalLanding
from visionbatch.io.run_files import FileRunStore
from visionbatch.pipelines.progress import LoggedProgress
from visionbatch.pipelines.vias import Vias
from visionbatch.pipelines.vias_access import Accounts
from visionbatch.pipelines.vias_bucket import obs_uri, result_bucket, tasks_of_batch
from visionbatch.pipelines.vias_manifest import BucketOutcome
from visionbatch.pipelines.vias_results import WantedResults, fetch_vias_results
from visionbatch.pipelines.vias_stream import RECORDS, ViasStream, read_vias_stream, require_readable, stream_record
from visionbatch.vias.dis import stream_in
from visionbatch.vias.settings import ViasSettings

log = logging.getLogger(__name__)

Opened = Callable[[Mapping[str, Any]], tuple[ViasSettings, Accounts]]
"""What the group's options describe."""


def fetch_command(opened: Opened) -> click.Command:
    """The command, for a group whose options name the account.

    :param opened: reads these options; ``obs_url`` and ``obs_addressing`` are among them here.
    """

    @click.command("fetch")
    @click.argument("uri")
    @click.argument("folder", type=Path)
    @click.option("--batch", default="", help="Id of a batch: only the events of its tasks.")
    @click.option("--since", type=datetime.fromisoformat, help="Only what was written then or later; ISO 8601.")
    @click.option("--until", type=datetime.fromisoformat, help="Only what was written then or earlier.")
    @click.option("--pictures/--no-pictures", default=True, show_default=True, help="The pictures as well.")
    @click.option("--obs-url", default="", help="Base URL of OBS, instead of the region's.")
    @click.option("--obs-addressing", type=click.Choice(["virtual", "path"]), default="virtual", show_default=True)
    @click.option("--dis-url", default="", help="Base URL of DIS, instead of the region's.")
    @click.option("--error-on-nothing", is_flag=True, help="End with code 9 when there is nothing.")
    @click.pass_obj
    def fetch(options: Mapping[str, Any], /, **given: Any) -> None:
        """Fetch results from obs://bucket/path, or events from dis://stream, into a folder. The same command again
        brings what is new.

        A bucket is opened with the access key; an IAM user's password opens none. Events of a stream become JSON Lines,
        each message once; how far it was read is kept in the folder.
        """  # noqa: D205  # click prints the whole text as one paragraph
        stream = stream_in(given["uri"])
        name, path = ("", "") if stream else obs_uri(given["uri"])
        settings, accounts = opened({**options, **given})
        wanted = WantedResults(
            since=_seconds(given["since"]), until=_seconds(given["until"]), pictures=given["pictures"]
        )
        if stream:
            require_readable(wanted)
        if given["batch"]:
            with Vias(settings, accounts) as site:
                wanted = tasks_of_batch(site, given["batch"], wanted)
        if stream:
            _answer_stream(options, given, settings, accounts, wanted)
            return
        with result_bucket(settings, accounts, name) as bucket:
            progress = LoggedProgress(log, what="fetch")
            told = fetch_vias_results(bucket, path, LocalFolder(given["folder"]), wanted, progress=progress)
        counts = told.counts()
        line = f"{told.outcome}: {counts['files']} files of {counts['events']} events in {told.folder}"
        answer(options, told.to_json(), line, _code(given, told.outcome))

    return fetch


def _answer_stream(
    options: Mapping[str, Any],
    given: Mapping[str, Any],
    settings: ViasSettings,
    accounts: Accounts,
    wanted: WantedResults,
) -> None:
    folder, stream = given["folder"], stream_in(given["uri"])
    store = FileRunStore(folder / RECORDS, stream_record(stream, wanted.batch_id))
    with store.locked(), ViasStream(settings, accounts, stream) as client:
        told = read_vias_stream(client, LocalLanding(folder), store, wanted)
    counts = told.counts()
    line = f"{told.outcome}: {counts['events']} new events in {folder}"
    answer(options, told.to_json(), line, _code(given, told.outcome))


def _code(given: Mapping[str, Any], outcome: BucketOutcome) -> ExitCode:
    nothing = given["error_on_nothing"] and outcome is BucketOutcome.NOTHING
    return ExitCode.NOTHING_NEW if nothing else ExitCode.DONE


def _seconds(moment: datetime | None) -> float | None:
    if moment is not None and moment.tzinfo is None:
        raise ConfigError(f"{moment.isoformat()} has no offset, so that nobody knows which moment it is")
    return None if moment is None else moment.timestamp()
