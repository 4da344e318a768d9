"""Numbers that an option may have."""

from __future__ import annotations

import math
from typing import Any

import click


class Positive(click.FloatRange):
    """A number above 0 that is one: ``nan`` passes no deadline, and ``inf`` cannot be kept in a record."""

    name = "float"

    def __init__(self) -> None:
        super().__init__(min=0, min_open=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number.

        :raises click.BadParameter: for anything else.
        """
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is no finite number", param, ctx)
        return number


POSITIVE = Positive()
