"""Whether a request comes with a client certificate that makes its sender ``api_user``. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.config.sections import Puppet
from service.core.address import Trust
from service.wire.certificate import names_of


def is_api_user(scope: Mapping[str, Any], puppet: Puppet, trust: Trust) -> bool:
    """Whether a certificate on *puppet*'s allow-list was verified for this request."""
    if not puppet.cert_allowlist:
        return False
    names = names_of(scope, header=puppet.cert_header, trust=trust)
    return not names.isdisjoint(puppet.cert_allowlist)
