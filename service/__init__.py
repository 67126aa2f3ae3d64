"""Tokenhouse: opaque API tokens in Redis, with every rule decided by a Lua script."""

__version__ = "0.1.0"
