"""The suites of the benchmark: one module each, with ``run(options)``."""
