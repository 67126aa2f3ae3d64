"""Secrets and store addresses: what is taken, and that none of it is ever seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.config.hidden import MASK, SecretKey, SecretKeys, StoreUrl, resolve

KEY = "k3y-" * 10
PASSWORD = "hunter2"


def test_a_key_stands_in_the_file_itself():
    """A key of 32 bytes or more is taken as it is, and shown masked."""
    (key,) = SecretKeys().parse([KEY])

    assert KEY.encode() == key.value
    assert [MASK] == SecretKeys().show([key])
    assert KEY not in repr(key)


def test_a_key_in_a_file_is_its_content_without_the_line_end(tmp_path: Path):
    """A reference to a file gives what the file holds, and is itself what is shown."""
    path = tmp_path / "key"
    path.write_text(KEY + "\n")

    (key,) = SecretKeys().parse([f"file:{path}"])

    assert KEY.encode() == key.value
    assert [f"file:{path}"] == SecretKeys().show([key])


def test_a_key_in_a_variable_is_that_variables_value():
    """A reference to a variable gives its value, and is itself what is shown."""
    (key,) = SecretKeys().parse(resolve(["env:MY_KEY"], {"MY_KEY": KEY}))

    assert SecretKey(KEY.encode(), "env:MY_KEY") == key


def test_several_keys_keep_their_order():
    """The first key makes new tokens, so order is kept, also with commas."""
    found = SecretKeys().parse(f"{KEY}1,{KEY}2")

    assert [f"{KEY}1".encode(), f"{KEY}2".encode()] == [key.value for key in found]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (["short"], "entry 1 has 5 bytes; 32 or more are needed"),
        ([KEY, ""], "entry 2 has 0 bytes"),
        (["env:GONE"], 'entry 1: "env:GONE" names a variable that is not set'),
        (["file:/nonexistent/key"], 'entry 1: "file:/nonexistent/key" cannot be read: No such'),
        (["file:a\0b"], "cannot be read: not a path"),
        (["file:/"], "cannot be read: Is a directory"),
        ([7], "entry 1 is not a text in quotes"),
        (7, "not a list of keys"),
        ('["half', "not a list of keys"),
    ],
)
def test_a_key_that_cannot_be_had_is_an_error_without_the_key(raw: object, expected: str):
    """The error says which entry is wrong and why, and never repeats a value."""
    with pytest.raises(ValueError, match=r"entry|list") as caught:
        SecretKeys().parse(raw)

    assert expected in str(caught.value)
    assert "short" not in str(caught.value)


def test_references_in_what_is_no_list_are_left_alone():
    """What cannot be a list of keys is left for the check to refuse."""
    assert 7 == resolve(7, {})


@pytest.mark.parametrize(
    "url",
    [
        "memory://",
        "redis://localhost",
        "redis://localhost:6379/0",
        "redis://[::1]:6379",
        "rediss://user:p%40ss@redis.example:6380/15?ssl_cert_reqs=required",
        "unix:///run/redis.sock?db=1",
        "unix://:pw@/run/redis.sock",
    ],
)
def test_a_store_address_is_taken_as_it_is(url: str):
    """Every scheme of this release is taken with its host, port, database and options."""
    assert url == StoreUrl().parse(url)


@pytest.mark.parametrize(
    "url",
    [
        "redis://",
        "redis:///0",
        "redis://h:port/0",
        "redis://h:0",
        "redis://h:99999",
        "redis://h/one",
        "redis://a b",
        "redis://[::1",
        "unix://",
        "unix://host/path",
        "memory://here",
    ],
)
def test_a_store_address_without_a_store_is_refused(url: str):
    """An address that a client would quietly complete with defaults is refused."""
    with pytest.raises(ValueError, match="URL is not of the form memory://"):
        StoreUrl().parse(url)


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        ("redis+sentinel://h/service/0", 'the scheme "redis+sentinel"'),
        ("mysql://h", 'the scheme "mysql"'),
        ("localhost:6379", "the URL"),
        (6379, "the URL"),
        ("", "the URL"),
    ],
)
def test_another_scheme_is_refused_with_those_there_are(raw: object, named: str):
    """The error lists the schemes of this release."""
    with pytest.raises(ValueError, match="one this release knows") as caught:
        StoreUrl().parse(raw)

    assert f"{named} is not one this release knows: memory://, redis://, rediss://, unix://" == str(
        caught.value
    )


@pytest.mark.parametrize(
    "url",
    [
        f"redis://:{PASSWORD}@h:bad",
        f"redis://:{PASSWORD}/x@h:6379",
        f"mysql://u:{PASSWORD}@h",
        f":{PASSWORD}@h:6379",
        f"{PASSWORD}://h",
    ],
)
def test_a_refused_store_address_keeps_its_password(url: str):
    """However an address is wrong, the error does not repeat what may be a password."""
    with pytest.raises(ValueError, match="is not") as caught:
        StoreUrl().parse(url)

    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (f"redis://u:{PASSWORD}@h:1/0", f"redis://{MASK}@h:1/0"),
        (f"redis://u:{PASSWORD}@x@h", f"redis://{MASK}@h"),
        (f"redis://h?password={PASSWORD}&db=1", f"redis://h?password={MASK}&db=1"),
        (f"rediss://h?ssl_password={PASSWORD}", f"rediss://h?ssl_password={MASK}"),
        ("redis://h:6379/0", "redis://h:6379/0"),
    ],
)
def test_a_store_address_is_shown_without_its_password(url: str, expected: str):
    """Host, port and options are shown; who logs in, and with what, is not."""
    assert expected == StoreUrl().show(url)
