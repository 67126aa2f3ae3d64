"""Every knob once: its kind, range and default, and how file and environment set it."""

from service.config.hidden import SecretKey
from service.config.layers import Knob, config_file, knobs, load, trace
from service.config.rules import LETTERS
from service.config.sections import DIALECTS, Config

__all__ = [
    "DIALECTS",
    "LETTERS",
    "Config",
    "Knob",
    "SecretKey",
    "config_file",
    "knobs",
    "load",
    "trace",
]
