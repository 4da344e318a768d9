"""What keeps an export from arriving or from being fetched, as far as it can be seen from here."""

from __future__ import annotations

from dataclasses import dataclass

from visionbatch.deepomatic.export_config import OWN_PERMISSIONS, VENDOR_PERMISSIONS, ConnectorType, ExportConfig
from visionbatch.deepomatic.export_layout import bucket_uri
from visionbatch.errors import ConfigError
from visionbatch.io.gcs_bucket import GcsBucket


@dataclass(frozen=True)
class Diagnosis:
    """What was looked at, and what is missing.

    :param missing: permissions on the bucket that our own account has not.
    :param lines: all of it for people.
    """

    missing: tuple[str, ...]
    lines: tuple[str, ...]

    @property
    def healthy(self) -> bool:
        """Whether nothing that can be seen from here is missing."""
        return not self.missing


def export_doctor(config: ExportConfig, bucket: GcsBucket) -> Diagnosis:
    """Ask for our own permissions on the export's bucket, and name those of the vendor that only its owner can see.

    :raises NotFound: when there is no such bucket.
    :raises ConfigError: for an export by e-mail, which has no bucket, or another bucket.
    """
    if config.connector_type != ConnectorType.CLOUD_STORAGE or bucket_uri(config.storage_uri)[0] != bucket.name:
        raise ConfigError(f"the export does not go to gs://{bucket.name}")
    missing = bucket.missing_permissions(OWN_PERMISSIONS)
    own = [f"{'MISSING' if one in missing else 'ok'}  {one} (our own account)" for one in OWN_PERMISSIONS]
    vendor = [f"to be seen by the bucket's owner  {one} ({config.service_account})" for one in VENDOR_PERMISSIONS]
    return Diagnosis(missing, (*own, *vendor))
