"""Operations written once, as generators that yield what they need and return a value.

Nothing in this room opens a socket or a file, or reads a clock or a source of randomness: a flow asks for
those by yielding an effect, and `visionbatch.io.drive` performs it, over ``http.client`` in a worker or with aiohttp
in a triggerer. A flow can therefore be tested with ``next`` and ``send`` and hand-made answers.
"""

from visionbatch.flow.effects import Flow, Now, Pause, Request, Response, Send

__all__ = ["Flow", "Now", "Pause", "Request", "Response", "Send"]
