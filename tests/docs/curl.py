"""Stands in for curl where there is none: only the options that the documentation uses."""

from __future__ import annotations

import argparse
import ssl
import sys
from pathlib import Path

import httpx


def trust(given: argparse.Namespace) -> ssl.SSLContext:
    """Whom to believe, and what to show oneself."""
    context = ssl.create_default_context(cafile=given.cacert)
    if given.k:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if given.cert:
        context.load_cert_chain(given.cert, given.key)
    return context


def main() -> None:
    """One request; prints the body and what ``-w`` asks for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("-s", action="store_true")
    parser.add_argument("-o")
    parser.add_argument("-w", default="")
    parser.add_argument("-X", default=None)
    parser.add_argument("-H", action="append", default=[])
    parser.add_argument("-d", "--data", dest="d", default=None)
    parser.add_argument("-u", default=None)
    parser.add_argument("-k", action="store_true")
    parser.add_argument("--cacert")
    parser.add_argument("--cert")
    parser.add_argument("--key")
    parser.add_argument("url")
    given = parser.parse_args()
    asked = (line.split(":", 1) for line in given.H)
    named = {name.lower(): value.strip() for name, value in asked}
    headers = {"user-agent": "curl/0", **named}
    method = given.X or ("GET" if given.d is None else "POST")
    if given.d is not None:
        headers = {"content-type": "application/x-www-form-urlencoded", **headers}
    name, _, password = (given.u or "").partition(":")
    answer = httpx.request(
        method,
        given.url,
        headers=headers,
        content=given.d,
        auth=(name, password) if given.u else None,
        verify=trust(given),
        trust_env=False,
    )
    if given.o:
        Path(given.o).write_bytes(answer.content)
    else:
        sys.stdout.write(answer.text)
    format_ = given.w.replace("%{http_code}", str(answer.status_code))
    sys.stdout.write(format_.replace("\\n", "\n"))


if __name__ == "__main__":
    main()
