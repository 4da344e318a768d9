"""The command line: for every scheduler that is not Airflow."""

from __future__ import annotations

import json
import logging
import sys
import traceback

import click

from visionbatch._version import __version__
from visionbatch.cli.deepomatic import deepomatic
from visionbatch.cli.roboflow import roboflow
from visionbatch.cli.roboflow_fetch import fetch
from visionbatch.errors import ExitCode, VisionBatchError

_SIGNALLED = 128


@click.group(context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "VISIONBATCH"})
@click.version_option(__version__, prog_name="visionbatch")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout; all else goes to stderr.")
@click.option("--quiet", is_flag=True, help="Print warnings and errors only.")
@click.pass_context
def cli(context: click.Context, *, as_json: bool, quiet: bool) -> None:
    """Send photos and videos in bulk to visual-inspection services and collect the verdicts."""
    context.obj = {"json": as_json}
    level = logging.WARNING if quiet else logging.INFO
    logging.basicConfig(level=level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")


roboflow.add_command(fetch)
for group in (deepomatic, roboflow):
    cli.add_command(group)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and give its exit code, one of `visionbatch.errors.ExitCode` or 128 plus a signal."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        code = cli.main(arguments, standalone_mode=False)
    except VisionBatchError as error:
        if "--json" in arguments:
            click.echo(json.dumps(error.to_json(), indent=1))
        click.echo(f"visionbatch: {error}", err=True)
        return int(error.exit_code)
    except click.exceptions.Abort:
        click.echo("visionbatch: interrupted; run the same command again to go on", err=True)
        return _SIGNALLED + 2
    except click.ClickException as error:
        error.show()
        return int(ExitCode.USAGE)
    except OSError as error:
        click.echo(f"visionbatch: {error.filename or 'a file'}: {error.strerror}", err=True)
        return int(ExitCode.USAGE)
    except Exception:  # noqa: BLE001  # the last line of defence: a bug has an exit code of its own
        traceback.print_exc()
        click.echo("visionbatch: this is a bug; the lines above say where", err=True)
        return int(ExitCode.BUG)
    return code if isinstance(code, int) else int(ExitCode.DONE)


def entry() -> None:
    """The console script."""
    sys.exit(main())
