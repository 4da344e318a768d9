"""Triggers of the provider: one for every wait."""
