"""A world as bytes, and back.

Everything that a world knows is plain values, locks, files below its folder, and references to the world
itself; so the standard pickle walks it, and only those few are told apart here. A service that is added
later is kept without a word about it, as long as it keeps to that; a lambda or an open file in it raises
`PicklingError` at the first save.
"""

import io
import pickle
import threading
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from visionbatch_mock.tenant import Tenant
    from visionbatch_mock.world import World

_NEW_LOCK = {"lock": threading.Lock, "rlock": threading.RLock}
_LOCKS = {type(make()): name for name, make in _NEW_LOCK.items()}
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


def freeze(world: "World", part: Any, tenant: "Tenant | None" = None) -> bytes:
    """A part of the world, at this moment; nobody may change it meanwhile.

    References to the world itself are not followed, and with `tenant` neither are those to that tenant and
    to the names that all tenants share.
    """
    held = io.BytesIO()
    _Freezer(held, world, tenant).dump(part)
    return held.getvalue()


def thaw(world: "World", data: bytes, tenant: "Tenant | None" = None) -> tuple[Any, set[Path]]:
    """What was frozen, and the files that it needs.

    Raises `pickle.UnpicklingError`, or whatever else damaged bytes make of themselves.
    """
    thawer = _Thawer(io.BytesIO(data), world, tenant)
    return thawer.load(), thawer.files


def _proxied(values: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    """A read-only view, which the standard pickle does not know."""
    return MappingProxyType(values)


def _references(world: "World", tenant: "Tenant | None") -> dict[str, Any]:
    """What is there already when a part is put back, and is referred to by name."""
    told = {"world": world, "config": world.config}
    return told if tenant is None else {**told, "tenant": tenant, "names": world.names}


class _Freezer(pickle.Pickler):
    def __init__(self, target: io.BytesIO, world: "World", tenant: "Tenant | None") -> None:
        super().__init__(target, protocol=5)
        self._directory = world.directory
        self._names = {id(value): name for name, value in _references(world, tenant).items()}

    def persistent_id(self, obj: Any) -> Any:
        if name := self._names.get(id(obj)) or _LOCKS.get(type(obj)):
            return (name,)
        if isinstance(obj, Path) and obj.is_relative_to(self._directory):
            return ("file", str(obj.relative_to(self._directory)))
        return None

    def reducer_override(self, obj: Any) -> Any:
        return (_proxied, (dict(obj),)) if isinstance(obj, MappingProxyType) else NotImplemented


class _Thawer(pickle.Unpickler):
    def __init__(self, source: io.BytesIO, world: "World", tenant: "Tenant | None") -> None:
        super().__init__(source)
        self._directory = world.directory
        self._references = _references(world, tenant)
        self.files: set[Path] = set()

    def persistent_load(self, pid: Any) -> Any:
        match pid:
            case (str(name),) if name in self._references:
                return self._references[name]
            case (str(name),) if name in _LOCKS.values():
                return _NEW_LOCK[name]()
            case ("file", str(name)):
                path = self._directory / name
                self.files.add(path)
                return path
        raise pickle.UnpicklingError(f"unknown reference {pid!r}")

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith(_MODULES) or (module, name) in _NAMES:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} has no place in a state")
