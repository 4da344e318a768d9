"""Requests that the service refuses; `auth.refusal` puts them into the shapes that are on record."""


class Refused(ValueError):
    """A request that is answered with an error status and a text."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
