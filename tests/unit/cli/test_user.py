"""The commands for users: what they print, what they change, how they refuse."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from service.core.permissions import PERMISSIONS
from service.errors import BadCredentials
from service.model import User

HASH = re.compile(r"argon2|\$v=")


def stored(run: Any, name: str) -> User:
    """The user as the store has it."""
    found = run.within(lambda house: house.users.get(name))
    assert isinstance(found, User)
    return found


def fits(run: Any, name: str, password: str) -> bool:
    """Whether *password* is the one of *name*."""
    kept = stored(run, name).password
    return bool(run.within(lambda house: house.passwords.check(name, kept, password)))


def test_add_makes_a_user_with_the_facts_given(run: Any) -> None:
    """All options arrive in the record."""
    facts = ("--first-name", "Ada", "--last-name", "Lovelace", "--email", "a@b.c")

    run.add("ada", "--superuser", *facts)
    ada = stored(run, "ada")

    assert (True, True, "Ada", "Lovelace", "a@b.c") == (
        ada.active,
        ada.superuser,
        ada.first_name,
        ada.last_name,
        ada.email,
    )


@pytest.mark.parametrize(
    ("piped", "password"),
    [
        ("s3cret\n", "s3cret"),
        ("s3cret\r\n", "s3cret"),
        ("s3cret", "s3cret"),
        (" s3 cret \n", " s3 cret "),
        ("pä$$'\"\n", "pä$$'\""),
    ],
)
def test_a_piped_password_is_the_line_without_its_end(run: Any, piped: str, password: str) -> None:
    """Nothing but the line's end is taken off."""
    run.ok("user", "add", "bob", "--password-stdin", piped=piped)

    assert fits(run, "bob", password)


@pytest.mark.parametrize(
    ("piped", "status", "line"),
    [
        (b"", 1, "a password has 1 to 1024 bytes\n"),
        (b"\n", 1, "a password has 1 to 1024 bytes\n"),
        (b"x" * 1025, 1, "a password has 1 to 1024 bytes\n"),
        (b"a\nb\n", 2, "standard input holds more than one line, so it is not a password\n"),
        (b"x" * 70_000, 2, "standard input holds more than one line, so it is not a password\n"),
        (b"\xff\n", 2, "the password on standard input is not UTF-8\n"),
    ],
)
def test_a_password_that_cannot_be_one_is_refused(
    run: Any, piped: bytes, status: int, line: str
) -> None:
    """One line says why, and no user is made."""
    result = run("user", "add", "bob", "--password-stdin", piped=piped)

    assert (status, "", line) == (result.exit_code, result.stdout, result.stderr)
    assert [] == run.json("user", "list")


def test_without_a_terminal_nobody_is_asked_for_a_password(run: Any) -> None:
    """What is piped in without --password-stdin is not taken for a password."""
    result = run("user", "add", "bob", piped="s3cret\ns3cret\n")

    assert (2, True) == (result.exit_code, "use --password-stdin" in result.stderr)


def test_on_a_terminal_a_new_password_is_asked_for_twice(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both answers are hidden, and two different ones are asked for again."""
    screen = SimpleNamespace(isatty=lambda: True)
    monkeypatch.setattr("service.cli.intake.sys", SimpleNamespace(stdin=screen))

    result = run("user", "add", "bob", piped="one\nother\nright\nright\n")

    assert 0 == result.exit_code
    assert 2 == result.output.count("Repeat")
    for answer in ("one", "other", "right"):
        assert answer not in result.output
    assert fits(run, "bob", "right")


def test_a_user_exists_once(run: Any) -> None:
    """A second one of the same name, in whatever spelling, is refused."""
    run.add("bob")

    result = run("user", "add", "  bob ", "--password-stdin", piped="x\n")

    assert (1, "there is a user called 'bob' already\n") == (result.exit_code, result.stderr)


@pytest.mark.parametrize("name", ["", " ", "a\nb", "\x1b[31m", "x" * 151, "\udcff"])
def test_a_name_that_cannot_be_one_is_refused(run: Any, name: str) -> None:
    """One printable line says which names there are."""
    result = run("user", "add", name, "--password-stdin", piped="x\n")

    assert (1, "") == (result.exit_code, result.stdout)
    assert result.stderr.startswith("a user name ")
    assert result.stderr.rstrip("\n").isprintable()


@pytest.mark.parametrize(
    "args",
    [
        ("user", "show", "b\u202eob"),
        ("user", "passwd", "b\u202eob", "--password-stdin"),
        ("user", "disable", "b\u202eob"),
        ("user", "enable", "b\u202eob"),
        ("user", "delete", "b\u202eob", "--yes"),
        ("user", "grant", "b\u202eob", "users.add_token"),
        ("token", "list", "--user", "b\u202eob"),
        ("token", "revoke", "--user", "b\u202eob"),
        ("token", "revoke", "--user", "b\u202eob", "--label", "x"),
        ("token", "issue", "--user", "b\u202eob", "--policy", "netbox"),
    ],
    ids=" ".join,
)
def test_a_user_who_does_not_exist_is_refused_by_name(run: Any, args: tuple[str, ...]) -> None:
    """Every command says so in the same line, which cannot steer a terminal."""
    result = run(*args, piped="x\n")

    assert (1, "", "no user called 'b\\u202eob'\n") == (
        result.exit_code,
        result.stdout,
        result.stderr,
    )


def test_list_shows_all_users_in_the_order_of_their_making(run: Any) -> None:
    """As a table and as JSON."""
    run.add("bob", "--email", "bob@example.org")
    run.add("ada", "--superuser")
    run.ok("user", "disable", "bob")

    lines = [line.split() for line in run.ok("user", "list").splitlines()]
    bob, ada = run.json("user", "list")

    assert ["id", "name", "state", "superuser", "email", "created"] == lines[0]
    assert ["1", "bob", "disabled", "no", "bob@example.org", bob["created"]] == lines[1]
    assert ["2", "ada", "active", "yes", "-", ada["created"]] == lines[2]
    assert ("disabled", True) == (bob["state"], ada["superuser"])
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", str(ada["created"]))


def test_show_counts_live_tokens_and_hides_the_hash(run: Any) -> None:
    """A revoked token does not count."""
    run.add("bob", "--first-name", "Bob")
    run.issue("bob")
    run.ok("token", "revoke", "--id", str(run.issue("bob")["id"]))

    text, facts = run.ok("user", "show", "bob"), run.json("user", "show", "bob")

    assert {
        "id": 1,
        "name": "bob",
        "state": "active",
        "superuser": False,
        "first_name": "Bob",
        "last_name": "",
        "email": "",
        "permissions": [],
        "created": facts["created"],
        "puppet_id": facts["puppet_id"],
        "live_tokens": 1,
    } == facts
    assert re.search(r"^live tokens: +1$", text, re.MULTILINE)
    assert re.search(rf"^puppet id: +{UUID(facts['puppet_id'])}$", text, re.MULTILINE)
    assert not HASH.search(text + str(facts))


def test_add_makes_no_user_whom_puppets_api_takes_for_a_certificate(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where that API is spoken; elsewhere the name is one like any other."""
    refused = run("user", "add", "api_user", "--password-stdin", piped="pw")

    assert 2 == refused.exit_code
    assert "api_user is whoever shows" in refused.output
    monkeypatch.setenv("TOKENHOUSE_DIALECTS__ENABLED", '["tower"]')
    run.add("api_user")


def test_add_grants_permissions(run: Any) -> None:
    """Each is named once, in whatever order and however often it was given."""
    run.add("bob", *("--grant", "users.view_token", "--grant", "users.add_token") * 2)

    assert ("users.add_token", "users.view_token") == stored(run, "bob").permissions


def test_whoever_may_see_all_users_is_granted_that(run: Any) -> None:
    """In both ways, and it is named where permissions are explained."""
    run.add("bob", "--grant", "users.view_user")
    run.add("carol")
    run.ok("user", "grant", "carol", "users.view_user", "gateway")

    assert ("users.view_user",) == stored(run, "bob").permissions
    assert ("gateway", "users.view_user") == stored(run, "carol").permissions
    explained = run.ok("user", "grant", "--help")
    assert [] == [each for each in PERMISSIONS if each not in explained]


def test_grant_gives_and_takes_permissions(run: Any) -> None:
    """It says what the user has then; what was there already, or not at all, is no fault."""
    run.add("bob", "--grant", "users.view_token")

    said = [
        run.ok("user", "grant", " bob ", "users.grant_token", "users.add_token"),
        run.ok("user", "grant", "bob", "users.view_token"),
        run.ok("user", "grant", "bob", "users.grant_token", "users.delete_token", "--revoke"),
        run.ok("user", "grant", "bob", "users.add_token", "users.view_token", "--revoke"),
    ]

    three = "user 'bob' has users.add_token, users.grant_token, users.view_token\n"
    two = "user 'bob' has users.add_token, users.view_token\n"
    assert [three, three, two, "user 'bob' has no permissions\n"] == said
    assert () == stored(run, "bob").permissions


@pytest.mark.parametrize(
    "args",
    [
        ("user", "add", "bob", "--password-stdin", "--grant", "users.fly"),
        ("user", "grant", "bob", "users.view_token", "fly"),
        ("user", "grant", "bob"),
    ],
)
def test_a_permission_that_is_none_is_usage(run: Any, args: tuple[str, ...]) -> None:
    """The line names those that there are; nobody is made, nothing is granted."""
    run.add("ada")

    result = run(*args, piped="x\n")

    assert (2, "") == (result.exit_code, result.stdout)
    assert "users.grant_token" in result.stderr or "Missing argument" in result.stderr
    assert ["ada"] == [each["name"] for each in run.json("user", "list")]


def test_show_prints_names_and_permissions(run: Any) -> None:
    """As lines, and as JSON with a list."""
    names = ("--first-name", "Bob", "--last-name", "Ross")
    run.add("bob", *names, "--grant", "users.view_token", "--grant", "users.add_token")

    text, facts = run.ok("user", "show", "bob"), run.json("user", "show", "bob")

    wanted = ["first name: Bob", "last name: Ross", "permissions: users.add_token users.view_token"]
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert wanted == [line for line in lines if line in wanted]
    assert ["users.add_token", "users.view_token"] == facts["permissions"]


def test_passwd_changes_the_password_and_leaves_tokens_alone(run: Any) -> None:
    """The old password is no longer right."""
    run.add("bob")
    run.issue("bob")

    run.ok("user", "passwd", "bob", "--password-stdin", piped="n3w\n")

    assert (True, False) == (fits(run, "bob", "n3w"), fits(run, "bob", "s3cret"))
    assert ["live"] == [each["state"] for each in run.json("token", "list")]


def test_disable_and_enable_switch_a_user_and_all_tokens(run: Any) -> None:
    """A disabled user's token comes back to life with its owner."""
    run.add("bob")
    run.issue("bob")

    run.ok("user", "disable", "bob")
    off = (stored(run, "bob").active, run.json("token", "list")[0]["state"])
    run.ok("user", "enable", "bob")
    on = (stored(run, "bob").active, run.json("token", "list")[0]["state"])

    assert ((False, "inactive"), (True, "live")) == (off, on)


def test_revoke_kills_the_tokens_for_good(run: Any) -> None:
    """Reinstated the user may log in, and what there was is dead."""
    run.add("bob")
    run.issue("bob")

    revoked = run.ok("user", "revoke", " bob ")
    off = stored(run, "bob").active
    reinstated = run.ok("user", "reinstate", "bob")

    assert "user ' bob ' revoked with every token\n" == revoked
    assert "user 'bob' reinstated\n" == reinstated
    assert (False, True) == (off, stored(run, "bob").active)
    assert [] == [each for each in run.json("token", "list") if each["state"] == "live"]


def test_reinstate_forgets_failed_logins(run: Any, redis_server: Any) -> None:
    """Whoever was locked out by somebody's guessing need not wait."""
    run.add("bob")

    async def guess(house: Any) -> None:
        for _ in range(10):
            with pytest.raises(BadCredentials):
                await house.logins.check("bob", "wrong", address=bytes(15) + b"\1")

    run.within(guess)
    before = redis_server.cli("KEYS", "g:a:*")
    run.ok("user", "reinstate", "bob")

    assert (1, []) == (len(before), redis_server.cli("KEYS", "g:a:*"))


@pytest.mark.parametrize("command", ["revoke", "reinstate"])
def test_who_is_not_there_is_neither_revoked_nor_reinstated(run: Any, command: str) -> None:
    """One line says so."""
    result = run("user", command, "bob")

    assert (1, "", "no user called 'bob'\n") == (result.exit_code, result.stdout, result.stderr)


def test_delete_asks_first(run: Any) -> None:
    """Whoever says no, or nothing, keeps the user."""
    run.add("bob")

    for answer in ("n\n", ""):
        result = run("user", "delete", "bob", piped=answer)

        assert (1, "") == (result.exit_code, result.stdout)

    assert "user 'bob' deleted\n" == run.ok("user", "delete", "bob", piped="y\n")
    assert [] == run.json("user", "list")


def test_delete_takes_the_tokens_along(run: Any, redis_server: Any) -> None:
    """When the command ends, the tokens are dead and the tidying is done."""
    run.add("bob")
    text = run.issue("bob")["token"]

    run.ok("user", "delete", "bob", "--yes")

    verdict = run.within(
        lambda house: house.tokens.verify(text.encode(), address=b"", agent=bytes(16), write=False)
    )
    assert "unknown" == verdict.word
    assert all(redis_server.cli("PTTL", key) >= 0 for key in redis_server.cli("KEYS", "t:*"))
