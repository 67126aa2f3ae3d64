"""RFC 7662: whether a token is good, for whom, and that asking is no use."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, quote_plus

import httpx
import pytest

from service.core.address import pack
from service.core.secret import agent_digest
from tests.unit.dialects.oauth.conftest import RICH, OAuth, opened

DEAD = {"active": False}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def said(answer: httpx.Response) -> Any:
    """What an introspection tells, which no cache may keep."""
    assert (200, "application/json") == (answer.status_code, answer.headers["content-type"])
    assert "no-store" == answer.headers["cache-control"]
    return answer.json()


async def test_a_good_token_is_told_in_full(oauth: OAuth):
    """Every member of the RFC that we know something for (§2.2)."""
    made = await oauth.token(write=False, client="ci", lifetime_ms=60_000)

    assert {
        "active": True,
        "scope": "read",
        "client_id": "ci",
        "username": "bob",
        "token_type": "Bearer",
        "exp": made.expires_ms // 1000,
        "iat": made.created_ms // 1000,
        "sub": "bob",
        "iss": "https://auth.test",
        "jti": str(made.token_id),
    } == said(await oauth.ask(made.text))


@pytest.mark.parametrize("policy", ["oauth", "netbox", "nautobot", "puppet"])
async def test_tokens_of_every_policy_are_known(oauth: OAuth, policy: str):
    """One that never ends has no end."""
    made = await oauth.token(policy=policy)
    told = said(await oauth.ask(made.text, token_type_hint="refresh_token"))

    assert (True, "read write") == (told["active"], told["scope"])
    assert ("exp" in told) == (policy == "puppet")


async def test_a_token_that_is_not_good_is_inactive_and_nothing_else(oauth: OAuth):
    """Unknown, garbled, revoked, expired, disabled, its owner disabled or deleted (§2.2)."""
    texts = ["0" * 40, "th_" + "A" * 51, "x", "ümlaut", "a b"]
    for fate in ("revoked", "disabled", "gone"):
        texts.append((await oauth.token(owner="carol" if fate == "gone" else "bob")).text)
    texts.append((await oauth.token(end_ms=1)).text)
    await oauth.house.tokens.revoke(texts[5].encode())
    await oauth.house.users.delete("carol")
    await oauth.house.users.disable("bob")

    assert [DEAD] * len(texts) == [said(await oauth.ask(text)) for text in texts]


@pytest.mark.parametrize(
    ("who", "seen"),
    [
        (("bob", "pw"), True),
        (("alice", "pw"), True),
        (("gateway", "pw"), True),
        (("carol", "pw"), False),
    ],
)
async def test_whose_tokens_one_is_told_of(oauth: OAuth, who: tuple[str, str], seen: bool):
    """One's own; with the permission, or as a superuser, everybody's (§2.1: against scanning)."""
    made = await oauth.token()
    own = await oauth.token(owner=who[0])

    for credential in (who, own.text):
        assert seen == said(await oauth.ask(made.text, credential))["active"]


async def test_a_bound_token_is_good_where_the_request_says_it_is_used(oauth: OAuth):
    """As at the gate: without address and agent it would be good for whoever stole it."""
    bound = {"address": pack("192.0.2.7"), "agent": agent_digest(b"curl/8")}
    text = (await oauth.token(policy="tower", **bound)).text
    here = {"client_ip": "192.0.2.7", "user_agent": "curl/8"}

    assert said(await oauth.ask(text, **here))["active"]
    for wrong in ({}, {**here, "client_ip": "192.0.2.8"}, {**here, "user_agent": "curl/9"}):
        assert DEAD == said(await oauth.ask(text, **wrong))
    bad = await oauth.ask(text, client_ip="nowhere")
    assert (400, "invalid_request") == (bad.status_code, bad.json()["error"])


@pytest.mark.parametrize("slides", [False, True])
async def test_asking_is_a_use_only_where_the_config_says_so(slides: bool):
    """Else a token that nobody uses ends although it is asked about."""
    async with opened(
        oauth={"introspection_slides": slides}, policy={"oauth": {"idle": "1h"}}
    ) as it:
        made = await it.token()
        ends = [said(await it.ask(made.text))["exp"]]
        keys = it.house.tokens.store.keys
        found = await it.house.tokens.get(made.token_id)
        key = keys.token((made.token_id & 0xFFFF).to_bytes(2, "big"), found.digest)
        (ttl,) = await it.house.client.run((b"PTTL", key))
        await it.house.client.run((b"PEXPIRE", key, ttl - 600_000))
        ends.append(said(await it.ask(made.text))["exp"])
        ends.append(said(await it.ask(made.text, ("carol", "pw"))).get("exp"))
        used = (await it.house.tokens.get(made.token_id)).last_used_ms

    assert (abs(ends[1] - ends[0]) < 5) == slides
    assert ends[2] is None
    assert bool(used) == slides


async def test_who_does_not_say_who_he_is_is_challenged(oauth: OAuth):
    """RFC 6750 §3 for a bad token, RFC 6749 §5.2 for everything else; the form is not looked at."""
    dead = (await oauth.token()).text
    await oauth.house.tokens.revoke(dead.encode())
    answers = {
        "": await oauth.http.post("/introspect", data={"token": dead}),
        "wrong": await oauth.ask(dead, ("bob", "no")),
        "nobody": await oauth.ask(dead, ("nobody", "pw")),
        "dead": await oauth.ask(dead, dead),
        "odd": await oauth.http.post("/introspect", headers={"Authorization": "Basic ?"}),
        "digest": await oauth.http.post("/introspect", headers={"Authorization": "Digest x"}),
    }

    assert {401} == {answer.status_code for answer in answers.values()}
    assert {"application/problem+json"} == {a.headers["content-type"] for a in answers.values()}
    bearer = 'Bearer realm="tokenhouse", error="invalid_token"'
    assert bearer == answers["dead"].headers["www-authenticate"]
    for name in ("", "wrong", "nobody", "odd", "digest"):
        assert answers[name].headers["www-authenticate"].startswith('Basic realm="tokenhouse"')
        assert "invalid_client" == answers[name].json()["error"]
    assert answers["wrong"].content == answers["nobody"].content


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", FORM, 400),
        (b"token=", FORM, 400),
        (b"token=a&token=b", FORM, 400),
        (b"token=a&%74oken=b", FORM, 400),
        (b"token=%ff", FORM, 400),
        (b'{"token":"a"}', {"Content-Type": "application/json"}, 415),
        (b"token=a", {}, 415),
        (b"token=" + b"a" * 70_000, FORM, 413),
        (b"token=a", {**FORM, "Content-Encoding": "gzip"}, 415),
    ],
)
async def test_a_form_that_is_none_is_an_invalid_request(
    oauth: OAuth, body: bytes, headers: dict[str, str], status: int
):
    """As a problem (RFC 9457) that holds OAuth's own error (RFC 6749 §5.2)."""
    answer = await oauth.http.post("/introspect", content=body, headers=headers, auth=("bob", "pw"))

    told = answer.json()
    assert (status, "invalid_request") == (answer.status_code, told["error"])
    assert status == told["status"]
    assert told["detail"] == told["error_description"]


async def test_other_methods_and_paths_are_problems(oauth: OAuth):
    """405 names the method that there is."""
    get, nowhere = await oauth.http.get("/introspect"), await oauth.http.post("/token")

    assert (405, "POST", 405) == (get.status_code, get.headers["allow"], get.json()["status"])
    assert (404, "Not Found") == (nowhere.status_code, nowhere.json()["title"])


async def test_too_many_wrong_passwords_are_429():
    """With the time to wait, in OAuth's shape."""
    async with opened(login={"attempts": 2}) as it:
        answers = [await it.ask("x", ("bob", "no")) for _ in range(3)]

    assert [401, 401, 429] == [answer.status_code for answer in answers]
    assert int(answers[2].headers["retry-after"]) > 0
    assert "slow_down" == answers[2].json()["error"]


async def test_a_failed_login_is_in_the_log_with_its_address(
    oauth: OAuth, caplog: pytest.LogCaptureFixture
):
    """In the words that all the APIs use."""
    await oauth.ask("x", ("bob", "no"))

    line = "login failed for user bob from 192.0.2.1"
    assert [("tokenhouse.login", 30, line)] == caplog.record_tuples


@pytest.mark.parametrize("agent", [b"caf\xc3\xa9", b"caf\xe9", b"a b+c", b"100%"])
async def test_an_agent_is_the_bytes_that_were_sent(oauth: OAuth, agent: bytes):
    """As at the gate; they need not be text."""
    made = await oauth.token(policy="tower", address=pack("192.0.2.7"), agent=agent_digest(agent))
    form = f"client_ip=192.0.2.7&token={made.text}&user_agent="
    active = []
    for text in (quote(agent), quote_plus(agent), quote_plus(agent + b"?"), "caf%3F"):
        answer = await oauth.http.post(
            "/introspect",
            content=form + text,
            headers=FORM,
            auth=RICH,
        )
        active.append(said(answer)["active"])

    assert [True, True, False, False] == active
