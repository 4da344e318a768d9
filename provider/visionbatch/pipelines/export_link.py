"""Fetching an export by the temporary link of its mail."""

from __future__ import annotations

from visionbatch.config import DownloadSettings
from visionbatch.errors import ConfigError
from visionbatch.io.clock import Clock
from visionbatch.io.folders import Folder
from visionbatch.model.secret import SecretUrl
from visionbatch.pipelines.export_manifest import MANIFEST, FetchedFile, FetchManifest, FetchOutcome
from visionbatch.transfer.download import Download, Progress
from visionbatch.transfer.link import LINK_HOSTS, Link, name_in


def fetch_link(
    link: SecretUrl,
    folder: Folder,
    *,
    name: str = "",
    hosts: tuple[str, ...] | None = None,
    settings: DownloadSettings | None = None,
    clock: Clock | None = None,
    progress: Progress | None = None,
) -> FetchManifest:
    """Fetch what the link of an export's mail leads to into ``data/`` of a folder, without any credential.

    A later try with a fresh link goes on where this one stopped. A mail names no images.

    :param name: of the file; the one at the end of the link without.
    :param hosts: where the link may lead, see `visionbatch.config.AllowedHosts`; Google's storage without.
    :raises LinkExpired: when its time is over.
    :raises UnsafeUrl: when it leads elsewhere.
    :raises ConfigError: when there is no name.
    """
    file_name = name or name_in(link)
    if not file_name:
        raise ConfigError("the link ends without a file name: give one")
    path = f"data/{file_name}"
    with Link(link.reveal(), hosts=hosts or LINK_HOSTS, settings=settings) as remote:
        done = Download(remote, folder.target(path), settings=settings, clock=clock, progress=progress).run()
        folder.keep(path)
        manifest = FetchManifest(
            remote.name,
            folder.location,
            FetchOutcome.DONE,
            (FetchedFile(file_name, 0, done.size, path),),
            fetched_bytes=done.fetched_bytes,
            location=f"{folder.location}/{MANIFEST}",
        )
    folder.write(MANIFEST, manifest.whole())
    return manifest
