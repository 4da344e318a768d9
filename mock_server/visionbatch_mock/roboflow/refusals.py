"""Requests that this service refuses; `auth.refusal` puts them into the shapes that are on record."""

from visionbatch_mock.refusals import Refusal


class Refused(Refusal):
    """An error of Data Staging or Batch Processing."""
