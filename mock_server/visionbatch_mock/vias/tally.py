"""What became of each task that a call about a batch touched: the one answer of create, act and delete."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from visionbatch_mock.vias.codes import Code


@dataclass(slots=True)
class Tally:
    """How many succeeded and failed, and why."""

    template: str
    batch_id: str | None = None
    succeeded: int = 0
    errors: list[str] = field(default_factory=list)

    def fail(self, source: str, code: Code, text: str) -> None:
        """One source failed."""
        self.errors.append(self.template.format(source=source, code=code, text=text))

    def as_json(self, count_errors: Mapping[str, int]) -> dict[str, Any]:
        """The answer; `count_errors` is added to its counts."""
        failed = len(self.errors)
        counts = {"total_count": self.succeeded + failed, "failed_count": failed, "succeed_count": self.succeeded}
        shown: dict[str, Any] = {name: value + count_errors.get(name, 0) for name, value in counts.items()}
        if self.batch_id is not None:
            shown["id"] = self.batch_id
        return {**shown, "error_list": self.errors}
