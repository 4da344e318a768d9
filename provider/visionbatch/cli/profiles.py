"""Settings of the command line from a file: profiles of option values, by command.

A profile is a table of the TOML file, and the tables in it are commands::

    [default.deepomatic]
    site = "my-site"

    [default.deepomatic.run]
    timeout = 7200

What is given on the command line or in the environment goes before it. Secrets have no place in it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from visionbatch.errors import ConfigError

DEFAULT = "default"


def config_file(given: Path | None) -> Path | None:
    """The file in force: the one given, else the one in the user's configuration directory if there is one."""
    if given is not None:
        return given
    base = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")  # noqa: PTH111  # raises nothing without a home
    usual = Path(base) / "visionbatch" / "config.toml"
    return usual if usual.is_file() else None


def profile_of(file: Path | None, name: str | None) -> dict[str, Any]:
    """The options of a profile; empty without a file.

    :param name: ``None`` takes the profile ``default``, if there is one.
    :raises ConfigError: when the file cannot be read, or has no profile of that name.
    """
    if file is None:
        if name is not None:
            raise ConfigError(f"there is no configuration file to find the profile {name} in")
        return {}
    import tomllib  # noqa: PLC0415  # most have no such file

    try:
        profiles = tomllib.loads(file.read_text())
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{file} is not TOML: {error}") from error
    found = profiles.get(name or DEFAULT, {} if name is None else None)
    if not isinstance(found, dict):
        raise ConfigError(f"{file} has no profile {name or DEFAULT}; it has {sorted(profiles)}")
    return found


def unknown_keys(context: click.Context, command: click.Command, values: Mapping[str, Any]) -> Iterator[str]:
    """The keys of a profile that no command has an option for, as dotted paths."""
    known = {parameter.name for parameter in command.params}
    for key, value in values.items():
        if isinstance(command, click.Group) and isinstance(value, Mapping):
            below = command.get_command(context, key)
            if below is None:
                yield key
            else:
                yield from (f"{key}.{path}" for path in unknown_keys(context, below, value))
        elif key not in known:
            yield key
