"""Ansible Tower 3.2: its token endpoint and the few resources that its clients ask for."""

from __future__ import annotations

from service.dialects.tower.app import build
from service.dialects.tower.openapi import describe
from service.dialects.tower.texts import POLICY
from service.wire.dialect import Dialect
from service.wire.rest.refusal import refuse

DIALECT = Dialect(
    name="tower",
    policy=POLICY,
    paths=("/api/v1", "/api/v2", "/api/o"),
    root_paths=("/api/",),
    build=build,
    refuse=refuse,
    openapi=describe,
)
