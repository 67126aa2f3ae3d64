"""Measures what a request costs, here and elsewhere; ``python -m bench --help``."""
