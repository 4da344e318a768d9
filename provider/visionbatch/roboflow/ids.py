"""Ids that the caller chooses, and the rules they follow (the vendor's API pages)."""

from __future__ import annotations

import re
from base64 import b32encode
from hashlib import sha256

from visionbatch.errors import ConfigError

BATCH_ID_CHARS = 64
JOB_ID_CHARS = 20

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_GENERATION_CHARS = 4
_LAST_GENERATION = 36**_GENERATION_CHARS - 1


def require_batch_id(batch_id: str) -> str:
    """The id, when it is one that a batch can have.

    :raises ConfigError: naming the rule ``batch-id``.
    """
    if not re.fullmatch(rf"[a-z0-9_-]{{1,{BATCH_ID_CHARS}}}", batch_id):
        raise ConfigError(f"batch-id: {batch_id!r} is not 1 to {BATCH_ID_CHARS} of a-z, 0-9, _ and -")
    return batch_id


def require_job_id(job_id: str) -> str:
    """The id, when it is one that a job can have by the stricter of two readings, which has no underscore.

    :raises ConfigError: naming the rule ``job-id``.
    """
    if not re.fullmatch(rf"[a-z0-9-]{{1,{JOB_ID_CHARS}}}", job_id):
        raise ConfigError(f"job-id: {job_id!r} is not 1 to {JOB_ID_CHARS} of a-z, 0-9 and -")
    return job_id


def require_workspace(workspace: str) -> str:
    """The slug, when it is one: it becomes a part of every path.

    :raises ConfigError: naming the rule ``workspace``.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", workspace):
        raise ConfigError(f"workspace: {workspace[:100]!r} is not a workspace's slug, as in the address of its page")
    return workspace


def derived_job_id(identity: str, generation: int) -> str:
    """The id of a run's job: the same for every try of the same generation, on any machine.

    60 bits of the identity's SHA-256: two of a million runs share an id once in two million times.

    :param identity: of the run, any text, such as DAG, task, run and map index.
    :raises ConfigError: when there are more generations than fit.
    """
    if not 1 <= generation <= _LAST_GENERATION:
        raise ConfigError(f"generation {generation} is not 1 to {_LAST_GENERATION}")
    short = b32encode(sha256(identity.encode()).digest())[:12].decode().lower()
    return require_job_id(f"vb-{short}-{_in_base_36(generation)}")


def _in_base_36(number: int) -> str:
    text = ""
    while number:
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
    return text
