"""The tests; ``servers.py`` and ``cluster.py`` beside this file start what they run on."""
