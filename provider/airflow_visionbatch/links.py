"""Links from a task to the service's own page; they carry no credential."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_visionbatch._compat import BaseOperatorLink, XCom

if TYPE_CHECKING:
    from typing import Any

CONSOLE_KEY = "console_url"
"""XCom key of the page's address, pushed as soon as there is a batch, so that the link works while it is waited for."""


class _PageLink(BaseOperatorLink):
    """To the page whose address the task has pushed."""

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """The address that the task pushed; empty before there is a page."""
        return str(XCom.get_value(key=CONSOLE_KEY, ti_key=ti_key) or "")


class DeepomaticBatchLink(_PageLink):
    """To the page on which people follow the batch."""

    name = "Deepomatic batch"


class RoboflowJobLink(_PageLink):
    """To the page on which people follow the job."""

    name = "Roboflow job"


class ViasBatchLink(_PageLink):
    """To the page on which people follow the tasks of a batch."""

    name = "VIAS batch"
