"""The HTTP kit that dialects share: plain functions and tables, not a framework."""
