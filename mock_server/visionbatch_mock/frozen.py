"""A world as bytes, and back.

Everything that a world knows is plain values, locks, files below its folder, and references to the world
itself; so the standard pickle walks it, and only those few are told apart here. A service that is added
later is kept without a word about it, as long as it keeps to that; a lambda or an open file in it raises
`PicklingError` at the first save.
"""

import io
import pickle
import threading
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from visionbatch_mock.world import World

_LOCK, _RLOCK = type(threading.Lock()), type(threading.RLock())
_NOT_STATE = frozenset({"config", "directory", "stopping", "metrics", "gate"})
"""What belongs to the process and not to its history; private names of the world begin with an underscore."""
_PRIVATE = frozenset({"_lock", "_remove"})

_MODULES = ("visionbatch_mock.",)
_NAMES = frozenset(
    {
        ("builtins", "getattr"), ("builtins", "set"), ("builtins", "frozenset"), ("builtins", "range"),
        ("collections", "deque"), ("collections", "OrderedDict"), ("collections", "defaultdict"),
        ("collections", "Counter"), ("copyreg", "_reconstructor"), ("builtins", "object"), ("builtins", "list"),
        ("builtins", "dict"), ("builtins", "bytearray"), ("functools", "partial"), ("uuid", "UUID"),
        ("datetime", "datetime"), ("datetime", "timedelta"), ("datetime", "date"), ("datetime", "timezone"),
        ("random", "Random"), ("builtins", "bytes"),
        ("pathlib", "PosixPath"), ("pathlib", "PurePosixPath"),
    }
)  # fmt: skip
"""What a state may be made of besides the mock's own classes; a file that names anything else is damaged."""


def freeze(world: "World") -> bytes:
    """All that the world knows, at this moment; nobody may change it meanwhile."""
    held = io.BytesIO()
    _Freezer(held, world).dump(_state(world))
    return held.getvalue()


def thaw(world: "World", data: bytes) -> set[Path]:
    """Put what was frozen into the world, in place of what it knows; gives the files that it needs.

    Raises `pickle.UnpicklingError`, or whatever else damaged bytes make of themselves.
    """
    thawer = _Thawer(io.BytesIO(data), world)
    known: Mapping[str, Any] = thawer.load()
    vars(world).update(known)
    return thawer.files


def _proxied(values: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    """A read-only view, which the standard pickle does not know."""
    return MappingProxyType(values)


def _state(world: "World") -> dict[str, Any]:
    return {name: value for name, value in vars(world).items() if name not in _NOT_STATE | _PRIVATE}


class _Freezer(pickle.Pickler):
    def __init__(self, target: io.BytesIO, world: "World") -> None:
        super().__init__(target, protocol=5)
        self._world = world

    def persistent_id(self, obj: Any) -> Any:
        if obj is self._world:
            return ("world",)
        if obj is self._world.config:
            return ("config",)
        if isinstance(obj, _LOCK):
            return ("lock",)
        if isinstance(obj, _RLOCK):
            return ("rlock",)
        if isinstance(obj, Path) and obj.is_relative_to(self._world.directory):
            return ("file", str(obj.relative_to(self._world.directory)))
        return None

    def reducer_override(self, obj: Any) -> Any:
        return (_proxied, (dict(obj),)) if isinstance(obj, MappingProxyType) else NotImplemented


class _Thawer(pickle.Unpickler):
    def __init__(self, source: io.BytesIO, world: "World") -> None:
        super().__init__(source)
        self._world = world
        self.files: set[Path] = set()

    def persistent_load(self, pid: Any) -> Any:
        match pid:
            case ("world",):
                return self._world
            case ("config",):
                return self._world.config
            case ("lock",):
                return threading.Lock()
            case ("rlock",):
                return threading.RLock()
            case ("file", str(name)):
                path = self._world.directory / name
                self.files.add(path)
                return path
        raise pickle.UnpicklingError(f"unknown reference {pid!r}")

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith(_MODULES) or (module, name) in _NAMES:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} has no place in a state")
