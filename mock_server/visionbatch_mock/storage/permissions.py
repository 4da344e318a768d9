"""Who may do what in a bucket, in Google's words for permissions."""

from enum import StrEnum


class Permission(StrEnum):
    """The permissions that the mock's operations ask for."""

    OBJECTS_CREATE = "storage.objects.create"
    OBJECTS_GET = "storage.objects.get"
    OBJECTS_LIST = "storage.objects.list"
    OBJECTS_DELETE = "storage.objects.delete"
    """Also needed to overwrite an object, which replaces its live generation."""
    OBJECTS_UPDATE = "storage.objects.update"
    BUCKETS_GET = "storage.buckets.get"
    BUCKETS_CREATE = "storage.buckets.create"
    BUCKETS_LIST = "storage.buckets.list"
    BUCKETS_DELETE = "storage.buckets.delete"


ALL = tuple(Permission)

EXPORT_WRITER = (
    Permission.OBJECTS_CREATE,
    Permission.OBJECTS_LIST,
    Permission.OBJECTS_GET,
    Permission.BUCKETS_GET,
)
"""What the vendor's data export page asks customers to grant to its service account."""


class Denied(RuntimeError):
    """A permission that somebody does not hold."""

    def __init__(self, who: str, permission: Permission, resource: str) -> None:
        super().__init__(
            f"{who} does not have {permission} access to {resource}. "
            f"Permission '{permission}' denied on resource (or it may not exist)."
        )
        self.permission = permission
