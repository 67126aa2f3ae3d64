"""OAuth 2.0 for what asks about tokens: introspection, revocation, and where both are."""

from __future__ import annotations

from service.dialects.oauth.app import build
from service.dialects.oauth.openapi import describe
from service.dialects.oauth.refusal import refuse
from service.dialects.oauth.texts import METADATA, POLICY
from service.wire.dialect import Dialect

DIALECT = Dialect(
    name="oauth",
    policy=POLICY,
    paths=(METADATA,),
    build=build,
    refuse=refuse,
    openapi=describe,
)
