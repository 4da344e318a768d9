"""Airflow provider of visionbatch: connections, operators, sensors and triggers for visual-inspection services."""

from visionbatch import __version__

__all__ = ["__version__"]
