"""What rooms raise to have a request refused; the application's error handlers know each vendor's shape."""


class Refusal(ValueError):
    """A request that is answered with an error status and a text.

    A fault plan's instruction meets such an answer as it meets any other.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
