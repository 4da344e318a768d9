"""How to reach VIAS; whatever its documents leave open is here and not in the code."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from visionbatch.errors import ConfigError
from visionbatch.vias.words import STATES

REGIONS = (
    "ap-southeast-1", "ap-southeast-3", "ap-southeast-4", "cn-east-3", "cn-north-4", "cn-south-1", "cn-southwest-2",
)  # fmt: skip
"""Regions in which the public pages or the vendor's Java SDK 3.1.212 name a host; others can be given all the same."""

PROJECT = re.compile(r"[a-zA-Z0-9-]{1,64}")
NOT_FOUND_CODES = ("VIAS.00010002", "VIAS.00010007", "VIAS.00010008")
NAME_TAKEN_CODES = ("VIAS.00010003", "VIAS.00010010", "VIAS.00010011")
NOT_ALLOWED_CODES = ("VIAS.00010012",)

ENDLESS_TYPES = ("vcn", "restful", "camera", "VIDEO_PLATFORM", "RTSP_STREAM")


_WORDS = {
    "states_from": ("batches", "tasks"),
    "on_cancel": ("stop", "delete"),
    "obs_addressing": ("virtual", "path"),
}


@dataclass(frozen=True)
class ViasSettings:
    """One project in one region.

    :param region: such as ``cn-north-4``; gives the hosts.
    :param project_id: 32 hexadecimal digits, one for each account and region; looked up by the region's name without.
    :param base_url: instead of ``https://vias.<region>.myhuaweicloud.com``.
    :param iam_url: instead of ``https://iam.<region>.myhuaweicloud.com``.
    :param obs_url: where result buckets are, instead of ``https://obs.<region>.myhuaweicloud.com``.
    :param obs_addressing: ``virtual`` puts the bucket before the host, which OBS asks for; ``path`` behind it, which
        S3 services on one machine ask for.
    :param dis_url: where result streams are, instead of ``https://dis.<region>.myhuaweicloud.com``.
    :param allow_plain_http: accept these four with http beyond loopback.
    :param states_from: ``batches`` reads the counters in the list of batches, one call for all; ``tasks`` counts the
        list of a batch's tasks, at least one call for each batch.
    :param abnormal_s: seconds for which ABNORMAL tasks are waited for, since they may recover by themselves, and for
        which a batch may be without any task.
    :param settle_s: seconds for which a batch is looked for whose creation was not answered.
    :param on_cancel: what cancelling does: ``stop`` keeps the batch and can be undone, ``delete`` does not.
    :param endless_types: types of video source that are live streams, of which nobody can wait for the end.
    :param status_aliases: further states, to one of the eighteen: ``{"THROTTLED": "PENDING"}``.
    :param not_found_codes: error codes of a 400 that mean what 404 means elsewhere.
    :param name_taken_codes: error codes of a 400 that say that there is one with this name.
    :param not_allowed_codes: error codes of a 500 that no second try mends.
    :param console_url: page for people.
    :raises ConfigError: for a region or project id that cannot be one.
    """

    region: str = "cn-north-4"
    project_id: str = ""
    base_url: str = ""
    iam_url: str = ""
    obs_url: str = ""
    obs_addressing: str = "virtual"
    dis_url: str = ""
    allow_plain_http: bool = False
    states_from: str = "batches"
    abnormal_s: float = 600.0
    settle_s: float = 60.0
    on_cancel: str = "stop"
    endless_types: tuple[str, ...] = ENDLESS_TYPES
    status_aliases: Mapping[str, str] = field(default_factory=dict)
    not_found_codes: tuple[str, ...] = NOT_FOUND_CODES
    name_taken_codes: tuple[str, ...] = NAME_TAKEN_CODES
    not_allowed_codes: tuple[str, ...] = NOT_ALLOWED_CODES
    console_url: str = "https://console.huaweicloud.com/vias2/"

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", self.region):
            raise ConfigError(f"region {self.region!r} is not the name of one, such as {REGIONS[4]}")
        if self.project_id and not PROJECT.fullmatch(self.project_id):
            raise ConfigError(f"project_id {self.project_id!r} is not 1 to 64 letters, digits or hyphens")
        for name, words in _WORDS.items():
            if getattr(self, name) not in words:
                raise ConfigError(f"{name} is {' or '.join(words)}, not {getattr(self, name)!r}")
        strange = sorted(set(self.status_aliases.values()) - STATES)
        if strange:
            raise ConfigError(f"status_aliases lead to {strange}; the states are {sorted(STATES)}")
        for name, host in (("base_url", "vias"), ("iam_url", "iam"), ("obs_url", "obs"), ("dis_url", "dis")):
            if not getattr(self, name):
                object.__setattr__(self, name, f"https://{host}.{self.region}.myhuaweicloud.com")
