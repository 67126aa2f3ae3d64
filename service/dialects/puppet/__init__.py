"""Puppet Enterprise's role-based access control: tokens, and the users who own them."""

from __future__ import annotations

from service.dialects.puppet.app import build
from service.dialects.puppet.openapi import describe
from service.dialects.puppet.refusal import refuse
from service.dialects.puppet.texts import POLICY
from service.wire.dialect import Dialect

DIALECT = Dialect(
    name="puppet",
    policy=POLICY,
    paths=("/rbac-api",),
    build=build,
    refuse=refuse,
    openapi=describe,
)
