"""Who asks: an IAM user with a password, as an alternative to `visionbatch.vias.signing.AccessKey`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from visionbatch.model.secret import Secret
from visionbatch.vias.signing import AccessKey


@dataclass(frozen=True)
class IamUser:
    """An IAM user. Accounts that were upgraded to a HUAWEI ID get no token themselves, only their IAM users do.

    :param domain: name of the account to which the user belongs.
    """

    name: str
    password: Secret
    domain: str


Account: TypeAlias = AccessKey | IamUser
