"""What keeps a machine from working with a service: each thing that has to be right, looked at in turn."""

from __future__ import annotations

import platform
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from visionbatch._version import __version__
from visionbatch.errors import ExitCode, NotAuthorized, VisionBatchError
from visionbatch.io.reachability import Step, reach, skew


@dataclass(frozen=True)
class Diagnosis:
    """All that was looked at, in that order."""

    steps: tuple[Step, ...]
    refused: bool = False

    @property
    def healthy(self) -> bool:
        """Whether nothing failed."""
        return all(step.passed is not False for step in self.steps)

    @property
    def exit_code(self) -> ExitCode:
        """What a process that found this out exits with."""
        if self.healthy:
            return ExitCode.DONE
        return ExitCode.NOT_AUTHORIZED if self.refused else ExitCode.TEMPORARY

    def lines(self) -> list[str]:
        """One line a step, for people."""
        marks = {True: "ok     ", False: "FAILED ", None: "unknown"}
        return [f"{marks[step.passed]} {step.name}: {step.detail}" for step in self.steps]


def doctor(url: str, ping: Callable[[], str], data_hosts: Sequence[str] = ()) -> Diagnosis:
    """Look at a service as this machine sees it: name, connection, certificate, credential, clock, versions.

    :param url: the service's own.
    :param ping: asks the service something with the credential, and gives the ``Date`` of the answer.
    :param data_hosts: where uploads go; patterns with a ``*`` are passed over.
    """
    steps = list(reach(url))
    refused = False
    if all(step.passed for step in steps):
        credential, date = _credential(ping)
        refused = credential.name == "credential" and credential.passed is False
        steps += [credential, skew(date)]
    for host in data_hosts:
        if "*" not in host:
            origin = host if "://" in host else f"https://{host}"
            steps += [Step(f"uploads, {step.name}", step.passed, step.detail) for step in reach(origin)]
    versions = f"visionbatch {__version__}, Python {platform.python_version()}, {ssl.OPENSSL_VERSION}"
    return Diagnosis((*steps, Step("versions", True, versions)), refused)


def _credential(ping: Callable[[], str]) -> tuple[Step, str]:
    try:
        date = ping()
    except NotAuthorized as error:
        return Step("credential", False, str(error)), ""
    except VisionBatchError as error:
        return Step("service", False, str(error)), ""
    return Step("credential", True, "the service takes it"), date
