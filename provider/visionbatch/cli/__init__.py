"""The command line: for every scheduler that is not Airflow."""

from __future__ import annotations

import gc
import logging
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from visionbatch._version import __version__
from visionbatch.cli.answers import Out, answer, bug, refusal, stopped
from visionbatch.cli.lazy import LazyGroup
from visionbatch.cli.profiles import DEFAULT, config_file, profile_of, unknown_keys
from visionbatch.cli.stopping import Stopped, stoppable
from visionbatch.errors import ConfigError, ExitCode, VisionBatchError

GROUPS = {
    "deepomatic": "visionbatch.cli.deepomatic:deepomatic",
    "roboflow": "visionbatch.cli.roboflow:roboflow",
    "runs": "visionbatch.cli.runs:runs",
    "vias": "visionbatch.cli.vias:vias",
}

PROGRESS = ("auto", "bar", "lines", "json", "none")
"""The values of `visionbatch.cli.advance.ProgressForm`, which this module does not import to stay quick."""

YOUNG_OBJECTS = 10_000
"""New objects after which the interpreter looks for cycles among them: a few MiB at most that wait for it."""

YES = frozenset({"1", "true", "t", "yes", "y", "on"})
"""What click takes for a flag that is set."""

FLAGS = frozenset({"--json", "--quiet"})
"""Global options that may stand anywhere on the command line."""


@click.group(
    cls=LazyGroup,
    elsewhere=GROUPS,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "VISIONBATCH"},
)
@click.option("--version", is_flag=True, help="Print the version, and end.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout; all else goes to stderr.")
@click.option("--quiet", is_flag=True, help="Print warnings and errors only.")
@click.option("--progress", type=click.Choice(PROGRESS), default="auto", help="A bar on a terminal, else lines.")
@click.option("--state-dir", type=Path, help="Folder for run records; ~/.local/state/visionbatch.")
@click.option("--config", type=Path, help="Configuration file; ~/.config/visionbatch/config.toml if it is there.")
@click.option("--profile", help="Profile of the configuration file; the one called default if it is there.")
@click.option("--config-check", is_flag=True, help="Say which configuration is in force, and end.")
@click.pass_context
def cli(
    context: click.Context,
    *,
    version: bool,
    as_json: bool,
    quiet: bool,
    progress: str,
    state_dir: Path | None,
    config: Path | None,
    profile: str | None,
    config_check: bool,
) -> None:
    """Send photos and videos in bulk to visual-inspection services and collect the verdicts.

    The same command again goes on where it stopped. Secrets come from the environment, a file or stdin, never from an
    option.
    """
    out = context.ensure_object(dict).setdefault("out", Out())
    out.as_json = as_json
    if version:
        answer(context.obj, {"version": __version__}, f"visionbatch, version {__version__}")
        context.exit()
    level = logging.WARNING if quiet else logging.INFO
    logging.basicConfig(level=level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    file = config_file(config)
    values = profile_of(file, profile)
    out.as_json = as_json or values.get("as_json") is True
    unknown = list(unknown_keys(context, context.command, values))
    if unknown:
        raise ConfigError(f"{file} has keys that no command knows: {', '.join(unknown)}")
    context.default_map = values
    shared = {key: values[key] for key in ("quiet", "progress", "state_dir") if key in values}
    given = {"quiet": quiet or None, "progress": progress if progress != "auto" else None, "state_dir": state_dir}
    context.obj = {
        "out": out,
        "quiet": False,
        "progress": "auto",
        "state_dir": None,
        **shared,
        **{key: value for key, value in given.items() if value is not None},
    }
    if config_check:
        _tell_configuration(context.obj, file, profile or DEFAULT, values)
        context.exit()
    if context.invoked_subcommand is None:
        answer(context.obj, {"help": context.get_help()}, context.get_help())


def _tell_configuration(options: Mapping[str, Any], file: Path | None, profile: str, values: Mapping[str, Any]) -> None:
    # Of the variables the names alone: some of them hold secrets.
    variables = sorted(name for name in os.environ if name.startswith("VISIONBATCH_"))
    told = {"file": str(file) if file else None, "profile": profile, "values": values, "variables": variables}
    first = f"{file or 'no configuration file'}: {values or 'nothing is set'}"
    answer(options, told, "\n".join([first, *(f"{name} is set" for name in variables)]))


def main(arguments: list[str] | None = None, out: Out | None = None) -> int:
    """Run the command line and give its exit code, one of `visionbatch.errors.ExitCode` or 128 plus a signal."""
    given = sys.argv[1:] if arguments is None else arguments
    out = out or Out()
    # For whatever goes wrong before the options are read; these, and a profile, are asked then.
    out.as_json = "--json" in _before_data(given) or os.environ.get("VISIONBATCH_AS_JSON", "").lower() in YES
    try:
        code: Any = cli.main(_with_flags_first(given), standalone_mode=False, obj={"out": out})
    except Stopped as end:
        return _tell_stopped(out, end)
    except Exception as error:  # noqa: BLE001  # the last line of defence: a bug has an exit code of its own
        return int(_told(error, out))
    return code if isinstance(code, int) else int(ExitCode.DONE)


def _tell_stopped(out: Out, end: Stopped) -> int:
    stopped(out, str(end), end.exit_code)
    click.echo(f"visionbatch: {end}", err=True)
    return end.exit_code


def _told(error: Exception, out: Out) -> ExitCode:
    """Say what went wrong, in the form that was asked for, and give the exit code for it."""
    if isinstance(error, click.exceptions.Abort):
        error = ConfigError("the question was not answered")
    elif isinstance(error, click.ClickException):
        error.show()
        told: VisionBatchError = ConfigError(error.format_message())
        refusal(out, told)
        return told.exit_code
    elif isinstance(error, OSError) and error.strerror:
        error = ConfigError(f"{error.filename or 'a file'}: {error.strerror}")
    if isinstance(error, VisionBatchError):
        refusal(out, error)
        click.echo(f"visionbatch: {error}", err=True)
        return error.exit_code
    bug(out, error)
    traceback.print_exception(error)
    click.echo("visionbatch: this is a bug; the lines above say where", err=True)
    return ExitCode.BUG


def _with_flags_first(arguments: Sequence[str]) -> list[str]:
    """Global flags moved to where click looks for them; what stands behind ``--`` is data."""
    options = _before_data(arguments)
    ahead = [argument for argument in options if argument in FLAGS]
    return [*ahead, *(argument for argument in options if argument not in FLAGS), *arguments[len(options) :]]


def _before_data(arguments: Sequence[str]) -> Sequence[str]:
    return arguments[: arguments.index("--")] if "--" in arguments else arguments


def entry() -> None:
    """The console script."""
    # What starts makes much that stays and no cycles: looking for those after every 700 new objects, as is the default,
    # takes 4 % of the start.
    gc.set_threshold(YOUNG_OBJECTS)
    out = Out()
    try:
        with stoppable(lambda end: _leave(_tell_stopped(out, end))):
            code = main(out=out)
    except Stopped as end:
        # Between two steps of ours, where there was nothing to leave in order.
        code = end.exit_code
    if code > Stopped(0).exit_code:
        _leave(code)
    # The interpreter would look for cycles among all that was imported, a fifth of what a short command costs.
    gc.freeze()
    sys.exit(code)


def _leave(code: int) -> None:
    """End at once: threads that still move bytes need not be waited for, the record says how far they were."""
    logging.shutdown()
    if sys.stdout is not None:
        sys.stdout.flush()
    os._exit(code)
