"""The commands of ``visionbatch deepomatic`` that take a folder of work orders: check, plan, submit, run."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from visionbatch.cli.advance import advance
from visionbatch.cli.answers import answer
from visionbatch.cli.deepomatic_site import opened_site, settings_of
from visionbatch.cli.junit import Case, reported, write_junit
from visionbatch.cli.numbers import POSITIVE
from visionbatch.cli.run_state import kept_run
from visionbatch.deepomatic.check_settings import CheckSettings
from visionbatch.errors import ConfigError, ExitCode, InputChanged
from visionbatch.io.sinks import LocalSink
from visionbatch.model.finding import Severity
from visionbatch.model.policy import Policies
from visionbatch.pipelines.decide import Action, Decision
from visionbatch.pipelines.deepomatic import Deepomatic
from visionbatch.pipelines.deepomatic_run import DeepomaticRun
from visionbatch.pipelines.inputs import Checked, Report, opened
from visionbatch.pipelines.manifest import Manifest
from visionbatch.pipelines.run_places import deepomatic_identity
from visionbatch.pipelines.submitted import Submitted

C = TypeVar("C", bound=Callable[..., Any])

_GROUPS = click.option("--task-group", "task_groups", multiple=True, help="Admissible task group; any without.")
_JUNIT = click.option("--junit", type=Path, help="File for the result as JUnit XML.")


def _about_a_run(command: C) -> C:
    """The options of every command that begins a run or goes on with one."""
    for option in (
        click.option("--run-id", help="Identity of this run, such as $ORDERID; site and source without."),
        click.option("--run-record", help="Address of the run record in an object store, to share it with Airflow."),
        click.option(
            "--timeout", type=POSITIVE, default=24 * 3600.0, show_default=True, help="Seconds until the batch must end."
        ),
        click.option("--label", default="", help="Name of the batch for people; the source's own by default."),
        click.option("--on-input-change", default="fail", show_default=True, help="fail or cancel_and_new."),
        click.option("--require-report", type=Path, help="Refuse a source that is not what this report of check saw."),
        click.option("--dry-run", is_flag=True, help="Check and plan, and send nothing."),
        _GROUPS,
        _JUNIT,
    ):
        command = option(command)
    return command


@click.command()
@click.argument("source", type=Path)
@click.option("--deep", is_flag=True, help="Decode every photo (needs Pillow).")
@click.option("--report", "report_file", type=Path, help="File for the report, which --require-report takes.")
@_GROUPS
@_JUNIT
@click.pass_obj
def check(
    options: Mapping[str, Any],
    *,
    source: Path,
    deep: bool,
    report_file: Path | None,
    task_groups: tuple[str, ...],
    junit: Path | None,
) -> None:
    """Look at a folder or zip without sending anything."""
    with opened(source, CheckSettings(task_groups=task_groups or None, deep=deep)) as checked:
        report = checked.report
    if report_file:
        report_file.write_text(json.dumps(report.to_json(), indent=1) + "\n")
    if junit:
        write_junit(junit, "visionbatch deepomatic check", _cases(report))
    lines = [*map(str, report.findings), report.summary()]
    answer(options, report.to_json(), "\n".join(lines), ExitCode.INVALID_INPUT if report.errors else ExitCode.DONE)


@click.command()
@click.argument("source", type=Path)
@_GROUPS
@click.pass_obj
def plan(options: Mapping[str, Any], *, source: Path, task_groups: tuple[str, ...]) -> None:
    """Say what archive a folder becomes, and send nothing."""
    with opened(source, CheckSettings(task_groups=task_groups or None)) as checked:
        archive = checked.ready()
        report = checked.report
    told = {"archive": archive.name, "size": archive.size, "fingerprint": report.fingerprint, **_counted(report)}
    answer(options, told, f"{archive.name}: {archive.size} bytes; {report.summary()}; {report.fingerprint[:16]}")


@click.command()
@click.argument("source", type=Path)
@_about_a_run
@click.pass_obj
def submit(options: Mapping[str, Any], /, *, source: Path, **given: Any) -> None:
    """Check and send, and do not wait for the end. The same command again goes on where it stopped."""
    _in_order(options, source, given, wait=False)


@click.command()
@click.argument("source", type=Path)
@click.option("--report-dir", type=Path, help="Folder for error report and manifest.")
@click.option("--on-partial", default="warn", show_default=True, help="warn, fail, accept, accept:5 or accept:2%.")
@click.option("--on-timeout", default="leave", show_default=True, help="leave or cancel.")
@_about_a_run
@click.pass_obj
def run(options: Mapping[str, Any], /, *, source: Path, **given: Any) -> None:
    """Check, send, wait, and fetch the error report. The same command again goes on where it stopped."""
    _in_order(options, source, given, wait=True)


def _in_order(options: Mapping[str, Any], source: Path, given: Mapping[str, Any], *, wait: bool) -> None:
    """Do it, and say on every way out how it went."""
    seen = _fingerprint_in(given["require_report"]) if given["require_report"] else ""
    if given["dry_run"]:
        with opened(source, _checks(given)) as checked:
            report = _expected(checked, seen).report
        answer(options, {"dry_run": True, **_counted(report)}, f"would send {report.summary()}")
        return
    with reported(given["junit"], f"visionbatch deepomatic {'run' if wait else 'submit'}", str(source)):
        manifest, done_before = _run(options, source, given, seen, wait=wait)
    line = f"batch {manifest.batch_id}: {manifest.outcome} {manifest.counts or ''}".rstrip()
    told = {**manifest.to_json(), "already_done": done_before}
    answer(options, told, f"already done: {line}" if done_before else line)


def _run(
    options: Mapping[str, Any], source: Path, given: Mapping[str, Any], seen: str, *, wait: bool
) -> tuple[Manifest, bool]:
    """The manifest, and whether an earlier command had done it all.

    :param seen: fingerprint that the source has to have; empty for any.
    """
    words = {name: given[name] for name in ("on_partial", "on_timeout", "on_input_change") if name in given}
    key = deepomatic_identity(settings_of(options), source, given["run_id"])
    report_dir = given.get("report_dir")
    decided: list[Decision] = []
    with (
        opened_site(options) as site,
        kept_run({**options, **given}, key) as store,
        advance(options, "upload") as progress,
    ):
        batch = DeepomaticRun(site, store, Policies.of(**words), progress=progress, decided=decided.append)
        submitted = _submitted(batch, site, source, given, seen)
        if not wait:
            return submitted.manifest(site.api.console_url(submitted.batch_id)), False
        manifest = batch.conclude(
            submitted,
            lambda: site.wait(submitted.batch_id, deadline=submitted.record.deadline),
            sink=LocalSink(report_dir) if report_dir else None,
        )
    return manifest, [decision.action for decision in decided] == [Action.TAKE]


def _submitted(batch: DeepomaticRun, site: Deepomatic, source: Path, given: Mapping[str, Any], seen: str) -> Submitted:
    """Check and send; whoever starts the command again means it to have its time."""
    wishes: dict[str, Any] = {"label": given["label"], "deadline": time.time() + given["timeout"], "cleared": True}
    if not seen:
        return batch.submit_place(source, check=_checks(given), **wishes)
    with site.check(source, _checks(given)) as checked:
        return batch.submit(_expected(checked, seen), **wishes)


def _checks(given: Mapping[str, Any]) -> CheckSettings:
    return CheckSettings(task_groups=given["task_groups"] or None)


def _expected(checked: Checked, seen: str) -> Checked:
    """A source that is in order, and is the one that an earlier check saw.

    :raises InputChanged: when it is another.
    """
    report = checked.report
    report.require()
    if seen and report.fingerprint != seen:
        raise InputChanged(f"{report.location} is not what the report of its check saw; nothing was sent")
    return checked


def _fingerprint_in(file: Path) -> str:
    try:
        found = json.loads(file.read_bytes())["fingerprint"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{file} is not a report of visionbatch deepomatic check ({type(error).__name__})") from error
    if not found:
        raise ConfigError(f"{file} is the report of a source that was refused")
    return str(found)


def _counted(report: Report) -> dict[str, Any]:
    return {"work_orders": report.work_orders, "files": report.files, "bytes": report.bytes}


def _cases(report: Report) -> list[Case]:
    """A check as a table: what is in error, and the source itself when nothing is."""
    wrong = [
        Case(finding.path or ".", str(finding)) for finding in report.findings if finding.severity is Severity.ERROR
    ]
    return wrong or [Case(report.location)]


RUN_COMMANDS = (check, plan, submit, run)
