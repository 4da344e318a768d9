"""Where VIAS's results lie: the bucket, opened with an access key, and whose of them are wanted."""

from __future__ import annotations

import dataclasses

from visionbatch.config import DownloadSettings
from visionbatch.errors import ConfigError
from visionbatch.io.s3_bucket import S3Bucket, S3Keys, S3Place
from visionbatch.pipelines.vias import Vias
from visionbatch.pipelines.vias_access import Accounts
from visionbatch.pipelines.vias_results import WantedResults
from visionbatch.vias.account import IamUser
from visionbatch.vias.settings import ViasSettings


def result_bucket(
    settings: ViasSettings, accounts: Accounts, name: str, download: DownloadSettings | None = None
) -> S3Bucket:
    """A bucket into which VIAS writes, opened with an access key; extra ``obs``.

    :param accounts: gives the key. An IAM user's password opens no bucket.
    :raises ConfigError: for settings that cannot be; where it is first used, for an account without a key.
    """
    place = S3Place(settings.obs_url, settings.region, settings.obs_addressing, settings.allow_plain_http)

    def keys() -> S3Keys:
        account = accounts()
        if isinstance(account, IamUser):
            raise ConfigError(
                "OBS takes access keys, and the account is an IAM user with a password",
                next_step="Read the results with an access key of a user who may read the bucket.",
            )
        return S3Keys(account.access_key, account.secret_key, account.security_token)

    return S3Bucket(name, place, keys, settings=download)


def tasks_of_batch(vias: Vias, batch_id: str, wanted: WantedResults | None = None) -> WantedResults:
    """The results of one batch's tasks, which are asked for.

    :raises NotFound: when there is no such batch.
    """
    ids = frozenset(str(task.get("id")) for task in vias.tasks(batch_id))
    if not ids:
        vias.status(batch_id)
    return dataclasses.replace(wanted or WantedResults(), batch_id=batch_id, tasks=ids)


def obs_uri(text: str) -> tuple[str, str]:
    """Bucket and path of ``obs://bucket/path``.

    :raises ConfigError: for anything else.
    """
    scheme, _, rest = text.partition("://")
    bucket, _, path = rest.partition("/")
    if scheme not in ("obs", "s3") or not bucket or "@" in bucket:
        raise ConfigError(f"{scheme}://… is not obs://bucket/path")
    return bucket, path
