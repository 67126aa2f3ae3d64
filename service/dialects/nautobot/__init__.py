"""Nautobot 1.3 and 1.4: its token resource, and the few others that its clients ask for."""

from __future__ import annotations

from service.dialects.nautobot.app import build
from service.dialects.nautobot.openapi import describe
from service.dialects.nautobot.texts import POLICY
from service.wire.dialect import Dialect
from service.wire.rest.refusal import refuse

DIALECT = Dialect(
    name="nautobot",
    policy=POLICY,
    paths=(),
    root_paths=("/api/",),
    build=build,
    refuse=refuse,
    openapi=describe,
)
