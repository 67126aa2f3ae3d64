"""The commands for tokens: what they print, what they change, how they refuse."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from service.core.address import pack
from service.core.secret import agent_digest

TEXT = re.compile(r"[0-9a-f]{40}")


def word(run: Any, text: str, address: str = "", agent: str = "", write: bool = False) -> str:
    """What the gate would say of the token *text*."""
    verdict = run.within(
        lambda house: house.tokens.verify(
            text.encode(), address=pack(address), agent=agent_digest(agent.encode()), write=write
        )
    )
    return str(verdict.word)


def squeezed(line: str) -> str:
    """*line* with one blank between words."""
    return " ".join(line.split())


@pytest.fixture
def bob(run: Any) -> Any:
    """Commands on a store with the user bob."""
    run.add("bob")
    return run


def issue(run: Any, *args: str) -> Any:
    """``token issue`` for bob."""
    return run("token", "issue", "--user", "bob", *args)


def test_issue_prints_the_text_and_nothing_else(bob: Any) -> None:
    """Standard output is the token; the other facts go to standard error."""
    result = issue(bob, "--policy", "netbox")

    assert 0 == result.exit_code
    assert TEXT.fullmatch(result.stdout.rstrip("\n"))
    assert "ok" == word(bob, result.stdout.strip(), write=True)
    assert ["id", "policy", "created", "expires"] == re.findall(r"^\w+", result.stderr, re.M)
    assert "expires: -\n" in result.stderr
    assert result.stdout.strip() not in result.stderr


def test_issue_json_is_one_object_with_the_text(bob: Any) -> None:
    """All facts are in it, and standard error stays empty."""
    result = issue(bob, "--policy", "netbox", "--lifetime", "12h", "--json")
    facts = json.loads(result.stdout)

    assert ["token", "id", "policy", "created", "expires"] == list(facts)
    assert "" == result.stderr
    assert facts["created"] < facts["expires"]


def test_issue_keeps_what_was_asked_for(bob: Any) -> None:
    """Label, description and the right to write are as given."""
    options = ("--label", "ci", "--description", "for the ci", "--read-only")
    facts = bob.issue("bob", *options)
    shown = bob.json("token", "show", str(facts["id"]))

    assert ("bob", "netbox", "live", False, "ci", "for the ci", None) == tuple(
        shown[key]
        for key in ("owner", "policy", "state", "write", "label", "description", "last_used")
    )
    assert ("read_only", "ok") == (
        word(bob, facts["token"], write=True),
        word(bob, facts["token"]),
    )


BOUND = ("--policy", "tower", "--address", "192.0.2.7", "--agent", "curl/8.5.0")


def test_issue_binds_a_token_to_address_and_agent(bob: Any) -> None:
    """It passes from there and from nowhere else."""
    text = issue(bob, *BOUND).stdout.strip()

    assert ["ok", "mismatch", "mismatch"] == [
        word(bob, text, "192.0.2.7", "curl/8.5.0"),
        word(bob, text, "192.0.2.8", "curl/8.5.0"),
        word(bob, text, "192.0.2.7", "curl/8.5.1"),
    ]


def test_issue_makes_a_new_token_where_a_login_would_get_the_old_one(bob: Any) -> None:
    """What somebody's login holds is not handed to an operator, nor its rights."""
    first = issue(bob, *BOUND).stdout.strip()
    second = issue(bob, *BOUND, "--read-only").stdout.strip()

    assert first != second
    assert "read_only" == word(bob, second, "192.0.2.7", "curl/8.5.0", write=True)


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (("--policy", "no\x1b"), "no policy is called 'no\\x1b'; there are tower, netbox, "),
        (BOUND[:2], "policy tower binds its tokens: --address is needed\n"),
        (BOUND[:4], "policy tower binds its tokens: --agent is needed\n"),
        ((*BOUND[:3], "example.org"), "--address: 'example.org' is not an IP address\n"),
        (("--policy", "netbox", *BOUND[2:4]), "policy netbox does not bind its tokens: --address"),
        (("--policy", "netbox", *BOUND[4:]), "policy netbox does not bind its tokens: --agent"),
    ],
)
def test_an_order_that_makes_no_sense_is_two_and_one_line(
    bob: Any, args: tuple[str, ...], line: str
) -> None:
    """The line names what is missing or wrong."""
    result = issue(bob, *args)

    assert (2, "", 1) == (result.exit_code, result.stdout, result.stderr.count("\n"))
    assert result.stderr.startswith(line)


@pytest.mark.parametrize("lifetime", ["soon", "0", "-1h", "200y", "1ms"])
def test_a_lifetime_outside_the_range_is_a_usage_error(bob: Any, lifetime: str) -> None:
    """The range is in the message."""
    result = issue(bob, "--policy", "netbox", "--lifetime", lifetime)

    assert (2, True) == (result.exit_code, "within 1s to 100y" in result.stderr)


@pytest.mark.parametrize("option", ["--label", "--description"])
def test_a_text_that_is_not_utf8_is_a_usage_error(bob: Any, option: str) -> None:
    """It could not be kept."""
    result = issue(bob, "--policy", "netbox", option, "\udcff")

    assert (2, True) == (result.exit_code, "this is not UTF-8" in result.stderr)


def test_explain_names_every_fact_by_one_word(bob: Any) -> None:
    """Programs read it, too."""
    number = str(json.loads(issue(bob, *BOUND, "--json").stdout)["id"])

    facts = bob.json("explain", "--id", number, "--address", "192.0.2.7", "--agent", "curl/8.5.0")

    assert {"allowed_networks", "bound_to_address", "bound_to_agent"} <= facts.keys()
    assert not [name for name in facts if not re.fullmatch("[a-z_]+", name)]


def test_a_label_is_given_once(bob: Any) -> None:
    """The second token with it is refused."""
    bob.issue("bob", "--label", "ci")

    result = issue(bob, "--policy", "netbox", "--label", "ci")

    assert (1, "", "user 'bob' has a live token with this label already\n") == (
        result.exit_code,
        result.stdout,
        result.stderr,
    )


def test_a_disabled_user_gets_no_token(bob: Any) -> None:
    """The line says why."""
    bob.ok("user", "disable", "bob")

    result = issue(bob, "--policy", "netbox")

    assert (1, "", "user 'bob' is disabled\n") == (result.exit_code, result.stdout, result.stderr)


def test_a_full_house_is_refused(bob: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is in the line."""
    monkeypatch.setenv("TOKENHOUSE_POLICY__NETBOX__MAX_TOKENS", "1")
    bob.issue("bob")

    result = issue(bob, "--policy", "netbox")

    assert (1, "this user already has 1 tokens\n") == (result.exit_code, result.stderr)


def test_issue_says_how_many_replicas_have_it_when_that_is_asked_for(
    bob: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lone Redis has none."""
    monkeypatch.setenv("TOKENHOUSE_STORE__WAIT_REPLICAS", "1")
    monkeypatch.setenv("TOKENHOUSE_STORE__TIMEOUT", "3s")

    assert 0 == bob.issue("bob")["replicas"]
    assert "replicas: 0\n" in issue(bob, "--policy", "netbox").stderr


def test_list_shows_the_tokens_of_all_users(bob: Any) -> None:
    """Newest first for each user, and never a text."""
    bob.add("ada")
    first, second = bob.issue("bob"), bob.issue("bob", "--label", "ci")
    third = bob.issue("ada")

    lines = bob.ok("token", "list").splitlines()
    rows = bob.json("token", "list")

    assert [second["id"], first["id"], third["id"]] == [row["id"] for row in rows]
    assert "id owner policy state write created expires last used label" == squeezed(lines[0])
    assert [str(second["id"]), "bob", "netbox", "live", "yes"] == lines[1].split()[:5]
    assert "ci" == lines[1].split()[-1]
    for text in (each["token"] for each in (first, second, third)):
        assert text not in str(lines) + str(rows)
        assert text[:4] not in str([row["label"] for row in rows])


def test_list_can_be_narrowed_to_a_user_and_a_policy(bob: Any) -> None:
    """Both options hold at once."""
    bob.add("ada")
    wanted = bob.issue("bob")
    bob.issue("ada")
    issue(bob, *BOUND)

    rows = bob.json("token", "list", "--user", " bob", "--policy", "netbox")

    assert [wanted["id"]] == [row["id"] for row in rows]
    assert 2 == bob("token", "list", "--policy", "no").exit_code
    assert [] == bob.json("token", "list", "--policy", "puppet")


def test_a_label_cannot_steer_the_terminal_that_lists_it(bob: Any) -> None:
    """Control characters are shown as escapes, in the table and in JSON."""
    label = "x\x1b[2J\x9b\u202e"
    facts = bob.issue("bob", "--label", label)

    table = bob.ok("token", "list")
    raw = bob.ok("token", "list", "--json")

    assert "x\\x1b[2J\\x9b\\u202e" in table
    assert label == json.loads(raw)[0]["label"]
    assert all(line.isprintable() for text in (table, raw) for line in text.split("\n"))
    assert label == bob.json("token", "show", str(facts["id"]))["label"]


def test_show_prints_one_fact_a_line(bob: Any) -> None:
    """What is not known is a dash."""
    number = bob.issue("bob")["id"]

    lines = bob.ok("token", "show", str(number)).splitlines()

    assert [f"id: {number}", "owner: bob"] == list(map(squeezed, lines[:2]))
    assert "last used: -" in list(map(squeezed, lines))


@pytest.mark.parametrize(
    "args",
    [
        ("show", "99"),
        ("show", str(1 << 70)),
        ("revoke", "--id", "99"),
        ("revoke", "--user", "bob", "--label", "99"),
    ],
    ids=" ".join,
)
def test_a_token_that_does_not_exist_is_refused(bob: Any, args: tuple[str, ...]) -> None:
    """One line names it."""
    result = bob("token", *args)

    assert (1, "") == (result.exit_code, result.stdout)
    assert re.fullmatch(r"no such token: '\d+'\n", result.stderr)


def test_show_prints_from_where_alone_a_token_may_be_used(bob: Any) -> None:
    """Said, said to be none, or not said at all."""
    key = [f"{number}123456789abcdef0123456789abcdef01234567" for number in range(3)]
    rows = [
        {"owner": "bob", "key": key[0], "allowed_ips": ["10.0.0.0/8", "::1"]},
        {"owner": "bob", "key": key[1], "allowed_ips": []},
        {"owner": "bob", "key": key[2]},
    ]
    Path("tokens.jsonl").write_text("\n".join(map(json.dumps, rows)))
    bob.ok("token", "import", "tokens.jsonl", "--policy", "netbox")
    numbers = [str(each["id"]) for each in reversed(bob.json("token", "list"))]

    assert [["10.0.0.0/8", "::1/128"], [], None] == [
        bob.json("token", "show", number)["allowed_networks"] for number in numbers
    ]
    assert ["10.0.0.0/8 ::1/128", "-", "-"] == [
        squeezed(bob.ok("token", "show", number).splitlines()[-1]).partition(": ")[2]
        for number in numbers
    ]


@pytest.mark.parametrize(("policy", "most"), [("netbox", 200), ("nautobot", 255)])
def test_a_description_fits_what_its_product_takes(bob: Any, policy: str, most: int) -> None:
    """As at an import."""
    fits = issue(bob, "--policy", policy, "--description", "x" * most)
    long = issue(bob, "--policy", policy, "--description", "x" * (most + 1))

    line = f"--description: policy {policy} takes {most} characters at most\n"
    assert (0, 2, line) == (fits.exit_code, long.exit_code, long.stderr)


@pytest.mark.parametrize("command", ["enable", "disable"])
def test_a_dead_token_is_neither_enabled_nor_disabled(bob: Any, command: str) -> None:
    """It stays dead."""
    facts = bob.issue("bob")
    bob.ok("token", "revoke", "--id", str(facts["id"]))

    result = bob("token", command, str(facts["id"]))

    assert (1, f"no such token: '{facts['id']}'\n") == (result.exit_code, result.stderr)
    assert "revoked" == word(bob, facts["token"])


def test_a_disabled_token_is_refused_until_it_is_enabled(bob: Any) -> None:
    """Whatever its policy; its rights stay as they were."""
    facts = bob.issue("bob", "--read-only")
    number = str(facts["id"])

    assert f"token {number} disabled\n" == bob.ok("token", "disable", number)
    assert ("disabled", "disabled") == (
        word(bob, facts["token"]), bob.json("token", "show", number)["state"],
    )  # fmt: skip
    assert f"token {number} enabled\n" == bob.ok("token", "enable", number)
    assert ["ok", "read_only"] == [
        word(bob, facts["token"], write=write) for write in (False, True)
    ]


def test_revoke_kills_one_token_by_its_id(bob: Any) -> None:
    """The others live on."""
    dead, alive = bob.issue("bob"), bob.issue("bob")

    assert f"token {dead['id']} revoked\n" == bob.ok("token", "revoke", "--id", str(dead["id"]))
    assert ["revoked", "ok"] == [word(bob, each["token"]) for each in (dead, alive)]


def test_revoke_kills_one_token_by_its_label(bob: Any) -> None:
    """The label is one of this user."""
    dead, alive = bob.issue("bob", "--label", "ci"), bob.issue("bob")

    said = bob.ok("token", "revoke", "--user", "bob", "--label", "ci")

    assert "the token labelled 'ci' of user 'bob' revoked\n" == said
    assert ["revoked", "ok"] == [word(bob, each["token"]) for each in (dead, alive)]


def test_revoke_kills_every_token_of_a_user(bob: Any, redis_server: Any) -> None:
    """Those of others live on, and when the command ends the tidying is done."""
    bob.add("ada")
    mine, hers = [bob.issue("bob") for _ in range(3)], bob.issue("ada")

    assert "every token of user 'bob' revoked\n" == bob.ok("token", "revoke", "--user", "bob")
    assert not {"ok"} & {word(bob, each["token"]) for each in mine}
    assert "ok" == word(bob, hers["token"])
    lives = [redis_server.cli("PTTL", key) for key in redis_server.cli("KEYS", "t:*")]
    assert 1 == lives.count(-1)


def test_an_empty_label_does_not_revoke_everything(bob: Any) -> None:
    """A script with an unset variable must not kill what it did not mean."""
    alive = bob.issue("bob")

    assert 1 == bob("token", "revoke", "--user", "bob", "--label", "").exit_code
    assert "ok" == word(bob, alive["token"])


def test_revoke_kills_the_token_whose_text_is_piped_in(bob: Any) -> None:
    """The text is not repeated; a second time there is nothing to kill."""
    text = bob.issue("bob")["token"]

    first = bob("token", "revoke", "--stdin", piped=text + "\n")
    second = bob("token", "revoke", "--stdin", piped=text)

    assert (0, "token revoked\n", "") == (first.exit_code, first.stdout, first.stderr)
    assert (1, "", "no live token has this text\n") == (
        second.exit_code,
        second.stdout,
        second.stderr,
    )
    assert "revoked" == word(bob, text)


@pytest.mark.parametrize(
    "args",
    [
        (),
        ("--id", "1", "--user", "bob"),
        ("--user", "bob", "--stdin"),
        ("--label", "x"),
        ("--id", "1", "--label", "x"),
        ("--stdin", "--label", "x"),
        ("--id", "0"),
        ("--id", "x"),
    ],
    ids=" ".join,
)
def test_revoke_wants_to_be_told_what_exactly_once(bob: Any, args: tuple[str, ...]) -> None:
    """Anything else is a usage error, and nothing is revoked."""
    alive = bob.issue("bob")["token"]

    assert 2 == bob("token", "revoke", *args).exit_code
    assert "ok" == word(bob, alive)
