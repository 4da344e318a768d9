"""What a doctor found, printed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from visionbatch.cli.answers import answer
from visionbatch.pipelines.doctor import Diagnosis


def tell_diagnosis(options: Mapping[str, Any], diagnosis: Diagnosis) -> None:
    """Print the steps, and end with a code if one of them failed."""
    told = {"steps": [vars(step) for step in diagnosis.steps]}
    answer(options, told, "\n".join(diagnosis.lines()), diagnosis.exit_code)
