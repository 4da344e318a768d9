"""Operators of the provider, one module a service."""
