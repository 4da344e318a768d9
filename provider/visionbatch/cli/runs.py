"""``visionbatch runs``: the run records of this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import click

from visionbatch.cli.answers import answer
from visionbatch.cli.run_state import object_record, state_directory
from visionbatch.errors import AlreadyRunning, ConfigError, UnreadableRecord
from visionbatch.io.run_files import FileRunStore, KeptRun, held, kept_run, kept_runs
from visionbatch.model.run import RunRecord, Stage
from visionbatch.model.text import printable
from visionbatch.pipelines.run_places import adopted_identity

DAY_S = 24 * 3600.0
NAME_CHARS = 12
"""Of the 32 that a record is named by; as many as tell them apart may be given."""


@click.group()
def runs() -> None:
    """Runs that were begun on this machine, and how far they came."""


@runs.command("list")
@click.pass_obj
def list_runs(options: Mapping[str, Any]) -> None:
    """List them, the latest first."""
    found = kept_runs(state_directory(options))
    answer(options, {"runs": [_told(run) for run in found]}, "\n".join(map(_line, found)) or "there are no runs")


@runs.command()
@click.argument("name")
@click.pass_obj
def show(options: Mapping[str, Any], *, name: str) -> None:
    """Show one run, by the beginning of its name, by its key, or by its batch."""
    run = _named(options, name)
    told = _told(run)
    answer(options, told, "\n".join(f"{key}: {value}" for key, value in told.items() if value not in ("", None)))


@runs.command()
@click.argument("name")
@click.pass_obj
def forget(options: Mapping[str, Any], *, name: str) -> None:
    """Remove a record, readable or not; what it is about goes on at the service."""
    run = _named(options, name)
    with held(run.path):
        run.path.unlink(missing_ok=True)
    answer(options, {"forgotten": run.path.stem}, f"{run.path.stem} is forgotten; {_remote(run)}")


@runs.command()
@click.argument("address")
@click.option("--run-id", required=True, help="What the run is to be called here.")
@click.option("--service", help="Refuse a record of any other service than this one.")
@click.pass_obj
def adopt(options: Mapping[str, Any], *, address: str, run_id: str, service: str | None) -> None:
    """Take over a run from its record in an object store or file, such as one that Airflow began.

    The command that begins such runs goes on with it when it is given the same --run-id: deepomatic run, vias create,
    roboflow stage or roboflow run.
    """
    record = object_record(address).load()
    if record is None:
        raise ConfigError(f"there is no run record at {address}")
    if service not in (None, record.service):
        raise ConfigError(f"the record at {address} is one of {record.service}, not of {service}")
    store = FileRunStore(state_directory(options), adopted_identity(record, run_id))
    with store.locked():
        if _readable(store) is not None:
            raise ConfigError(f"there is a run {run_id} already", next_step="Forget it first, or take another name.")
        store.save(record)
    answer(options, {"adopted": record.ref, "run_id": run_id}, f"{run_id} is now at {record.service} {record.ref}")


@runs.command()
@click.option("--older-than", type=float, default=30.0, show_default=True, help="Days since it ended.")
@click.pass_obj
def prune(options: Mapping[str, Any], *, older_than: float) -> None:
    """Remove the records of runs that have ended; one that a process holds is left alone."""
    before = time.time() - older_than * DAY_S
    found = kept_runs(state_directory(options))
    pruned = sum(_pruned(run, before) for run in found if _is_old(run, before))
    answer(options, {"pruned": pruned}, f"{pruned} records of ended runs are removed")


def _pruned(run: KeptRun, before: float) -> bool:
    """Remove a record, if it is still what it was and nobody works on it."""
    try:
        with held(run.path):
            if not _is_old(kept_run(run.path), before):
                return False
            run.path.unlink()
    except AlreadyRunning:
        return False
    return True


@runs.command()
@click.argument("name")
@click.pass_context
def cancel(context: click.Context, *, name: str) -> None:
    """Cancel what a run has at its service: a batch is deleted, a job aborted, a batch task stopped."""
    run = _named(context.obj, name)
    way = _CANCELS.get(run.record.service) if run.record is not None else None
    if run.record is None or not (run.record.ref or (way and way.by_token and run.record.token)):
        raise ConfigError(f"{name} has nothing at the service to cancel")
    if way is None or run.key.startswith("roboflow stage "):
        raise ConfigError("a batch that is being filled is not cancelled; nothing is charged for it")
    ref = way.cancel(context, run.record)
    answer(context.obj, {"cancelled": ref}, f"{run.record.service} {ref} is cancelled")


def _cancel_roboflow(context: click.Context, record: RunRecord) -> str:
    from visionbatch.cli.roboflow import client, roboflow  # noqa: PLC0415  # only where it is needed
    from visionbatch.pipelines.environment import roboflow_settings  # noqa: PLC0415
    from visionbatch.pipelines.owned_records import workspace_of_roboflow  # noqa: PLC0415

    own = roboflow.make_context("roboflow", ["abort", record.ref], parent=context.find_root())
    with own, client({**own.params, "settings": roboflow_settings(own.params)}) as site:
        workspace_of_roboflow(site.workspace()).require(record)
        site.abort(record.ref)
    return record.ref


def _cancel_vias(context: click.Context, record: RunRecord) -> str:
    from visionbatch.cli.vias import client, vias  # noqa: PLC0415  # only where it is needed
    from visionbatch.pipelines.owned_records import project_of_vias  # noqa: PLC0415
    from visionbatch.pipelines.vias_recorded import cancel_recorded  # noqa: PLC0415

    own = vias.make_context("vias", ["stop", record.ref], parent=context.find_root())
    with own, client(own.params) as site:
        project_of_vias(site.api.settings.project_id).require(record)
        return cancel_recorded(site, record)


def _cancel_deepomatic(context: click.Context, record: RunRecord) -> str:
    from visionbatch.cli.deepomatic import deepomatic  # noqa: PLC0415  # only where it is needed
    from visionbatch.cli.deepomatic_site import opened_site  # noqa: PLC0415

    # The options that its own group would have from environment and profile.
    own = deepomatic.make_context("deepomatic", ["delete", record.ref], parent=context.find_root())
    with own, opened_site({**context.obj, **own.params}) as site:
        site.delete(record.ref)
    return record.ref


class _Way(NamedTuple):
    """How a service's run is cancelled.

    :param by_token: also one without an id, of whose creation nobody heard the answer: names are unique there.
    """

    cancel: Callable[[click.Context, RunRecord], str]
    by_token: bool = False


_CANCELS = {
    "deepomatic": _Way(_cancel_deepomatic),
    "roboflow": _Way(_cancel_roboflow),
    "huawei_vias": _Way(_cancel_vias, by_token=True),
}


def _named(options: Mapping[str, Any], name: str) -> KeptRun:
    """The one run of a name.

    :raises ConfigError: when there is none, or several.
    """
    directory = state_directory(options)

    def fits(run: KeptRun) -> bool:
        ref = run.record.ref if run.record else ""
        return run.path.stem.startswith(name) or name in (run.key, run.key.partition(" ")[2], ref)

    found = [run for run in kept_runs(directory) if fits(run)]
    if len(found) != 1:
        raise ConfigError(f"{len(found) or 'no'} runs in {directory} are called {name}", next_step="See `runs list`.")
    return found[0]


def _readable(store: FileRunStore) -> RunRecord | None:
    try:
        return store.load()
    except UnreadableRecord:
        return None


def _is_old(run: KeptRun | None, before: float) -> bool:
    return run is not None and run.record is not None and run.record.stage is Stage.ENDED and run.written < before


def _remote(run: KeptRun) -> str:
    if run.record is None or not run.record.ref:
        return "there is nothing of it at the service"
    return f"{run.record.service} batch {run.record.ref} is left as it is"


def _told(run: KeptRun) -> dict[str, Any]:
    record = run.record.to_json() if run.record else {}
    written = datetime.fromtimestamp(run.written, UTC).isoformat(timespec="seconds")
    return {"name": run.path.stem, "key": run.key, "written": written, "trouble": run.trouble, **record}


def _line(run: KeptRun) -> str:
    name, key = run.path.stem[:NAME_CHARS], printable(run.key)
    if run.record is None:
        return f"{name}  unreadable  {key}  {run.trouble}"
    record = run.record
    state = record.outcome or f"{record.stage} {record.sent}/{record.total}"
    return f"{name}  {record.service}  {state}  {record.ref or '-'}  {key}"
