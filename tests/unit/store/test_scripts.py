"""The loader: every script whole, in both flavours, under the name Redis gives it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from service.store.scripts import expand, load, load_all, write_all
from tests.servers import Memory, Server

ROOT = Path(__file__).parents[3]
FENCED = {"verify", "revoke", "revoke_owner", "set_owner", "trim", "bury", "release"}


def test_every_file_is_a_script():
    """Each Lua file is found under its name, none is left out."""
    assert {path.stem for path in (ROOT / "lua").glob("*.lua")} == set(load_all())


@pytest.mark.parametrize("script", load_all().values(), ids=lambda script: script.name)
def test_the_flavours_differ_in_the_first_line_only(script):
    """Below the fence both are the same source, with nothing left to include."""
    fence, _, body = script.fenced.partition(b"\n")
    stand_in, _, same = script.plain.partition(b"\n")

    assert body == same
    assert b"-- @include" not in body
    flags = b" flags=allow-oom" if script.name in FENCED else b""
    assert b"#!lua" + flags == fence
    assert (b"HINCRBY" in stand_in) == (script.name not in FENCED)


@pytest.mark.parametrize("script", load_all().values(), ids=lambda script: script.name)
async def test_redis_names_it_as_we_do(script, any_server: Server | Memory):
    """The SHA-1 we send is the one under which Redis keeps the source."""
    assert hashlib.sha1(script.plain).hexdigest().encode() == script.sha_plain
    if isinstance(any_server, Server):
        fenced = any_server.kind != "redis6"
        source = script.fenced if fenced else script.plain
        assert (script.sha_fenced if fenced else script.sha_plain) == any_server.cli(
            "SCRIPT", "LOAD", source
        )


def test_an_include_is_the_file_of_that_name(tmp_path: Path):
    """A line that asks for a file is replaced by it; other mentions are left alone."""
    (tmp_path / "one.lua").write_text("local one = 1\n\n")

    text = expand("-- @include one\nreturn one -- @include one\n", tmp_path)

    assert "local one = 1\nreturn one -- @include one\n" == text


def test_an_unknown_first_line_is_refused(tmp_path: Path):
    """A script without a fence we know cannot be loaded."""
    (tmp_path / "bad.lua").write_text("return 1\n")

    with pytest.raises(KeyError):
        load(tmp_path / "bad.lua")


def test_scripts_can_be_written_out(tmp_path: Path):
    """What is sent to Redis can be looked at as files."""
    write_all(tmp_path)

    for script in load_all().values():
        assert script.plain == (tmp_path / "plain" / f"{script.name}.lua").read_bytes()
        assert script.fenced == (tmp_path / "fenced" / f"{script.name}.lua").read_bytes()
