"""Fetching an export by the temporary link of its mail."""

from __future__ import annotations

from visionbatch.config import DownloadSettings
from visionbatch.io.clock import Clock
from visionbatch.io.folders import Folder
from visionbatch.model.secret import SecretUrl
from visionbatch.pipelines.export_manifest import FetchedFile, FetchManifest, FetchOutcome
from visionbatch.pipelines.fetched import MANIFEST
from visionbatch.transfer.download import Download
from visionbatch.transfer.link import LINK_HOSTS, Link
from visionbatch.transfer.remote import Progress

LINK_FILE = "export.jsonl"


def fetch_link(
    link: SecretUrl,
    folder: Folder,
    *,
    name: str = LINK_FILE,
    hosts: tuple[str, ...] | None = None,
    settings: DownloadSettings | None = None,
    clock: Clock | None = None,
    progress: Progress | None = None,
) -> FetchManifest:
    """Fetch what the link of an export's mail leads to into ``data/`` of a folder, without any credential.

    A later try with a fresh link goes on where this one stopped. A mail names no images.

    :param name: of the file. It is not taken from the link, any part of which may be the secret.
    :param hosts: where the link may lead, see `visionbatch.config.AllowedHosts`; Google's storage without.
    :raises LinkExpired: when its time is over.
    :raises UnsafeUrl: when it leads elsewhere.
    """
    path = f"data/{name}"
    with Link(link.reveal(), hosts=hosts or LINK_HOSTS, settings=settings) as remote:
        done = Download(remote, folder.target(path), settings=settings, clock=clock, progress=progress).run()
        folder.keep(path)
        manifest = FetchManifest(
            remote.name,
            folder.location,
            FetchOutcome.DONE,
            (FetchedFile(name, 0, done.size, path),),
            fetched_bytes=done.fetched_bytes,
            location=f"{folder.location}/{MANIFEST}",
        )
    folder.write(MANIFEST, manifest.whole())
    return manifest
