"""NetBox 3.3, or 4.6: its tokens, the way to a first one, and what its clients ask for besides."""

from __future__ import annotations

from service.dialects.netbox.app import build
from service.dialects.netbox.openapi import describe
from service.dialects.netbox.texts import POLICY
from service.wire.dialect import Dialect
from service.wire.rest.refusal import refuse

DIALECT = Dialect(
    name="netbox",
    policy=POLICY,
    paths=("/api/authentication-check",),
    root_paths=("/api/",),
    build=build,
    refuse=refuse,
    openapi=describe,
)
