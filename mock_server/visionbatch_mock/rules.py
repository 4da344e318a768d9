"""The routes' own kind of rule, which makes a mock start in less than half the time."""

from collections.abc import Callable
from typing import Any

from werkzeug.routing import Rule


class OneWayRule(Rule):
    """A rule that is compiled for the way back, from values to a URL, only when somebody asks for that.

    Werkzeug writes and compiles two functions for each rule at once. The mock writes its URLs by itself, and never
    calls them. Where a later Werkzeug has no such method to override, all that is lost is the time.
    """

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        compiled = super()._compile_builder

        def build(rule: Rule, *args: Any, **values: Any) -> tuple[str, str]:
            return compiled(append_unknown)(rule, *args, **values)

        return build
