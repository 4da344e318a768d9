"""Hooks of the provider, one module a service."""
