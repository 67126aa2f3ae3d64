"""Who is asking: tokens of any policy, certificates, and every word that says no."""

from __future__ import annotations

from collections.abc import AsyncIterator
from ipaddress import ip_network
from typing import Any

import pytest

from service.dialects.puppet import texts
from service.model import Word
from tests.unit.dialects.puppet.maker import (
    CONSOLE,
    CURRENT,
    REVOKE,
    TOKENS,
    UNKNOWN,
    Puppet,
    puppet,
    refused,
)

CHOSEN = "0123456789abcdef0123456789abcdef01234567"
REVOKED = (401, texts.REVOKED_TOKEN)


async def login_of(client: Any, **options: Any) -> str:
    """Who *client* is taken for."""
    answer = await client.get(CURRENT, **options)
    assert 200 == answer.status_code, answer.text
    login: str = answer.json()["login"]
    return login


async def test_a_token_may_stand_in_header_or_query(house: Puppet, anybody: Any):
    """The header first; an empty one is absent."""
    bob, carol = await house.token(), await house.token("carol")

    assert "bob" == await login_of(anybody, headers={"X-Authentication": bob})
    assert "carol" == await login_of(anybody, params={"token": carol})
    both = {"params": {"token": carol}, "headers": {"X-Authentication": bob}}
    assert "bob" == await login_of(anybody, **both)
    empty = {"params": {"token": carol}, "headers": {"X-Authentication": ""}}
    assert "carol" == await login_of(anybody, **empty)


async def test_a_bad_header_is_not_mended_by_a_good_query(house: Puppet, anybody: Any):
    """One of them is asked, and that is that."""
    answer = await anybody.get(
        CURRENT, params={"token": await house.token()}, headers={"X-Authentication": UNKNOWN}
    )

    assert REVOKED == refused(answer)


@pytest.mark.parametrize("headers", [{}, {"X-Authentication": ""}, {"Authorization": "Bearer x"}])
async def test_nothing_presented_says_so(anybody: Any, headers: dict[str, str]):
    """Like the middleware of the product: without details, without a challenge."""
    answer = await anybody.get(CURRENT, headers=headers)

    assert (401, texts.UNAUTHENTICATED) == refused(answer)
    assert {"kind": texts.UNAUTHENTICATED, "msg": "Route requires authentication"} == answer.json()
    assert "www-authenticate" not in answer.headers


async def test_the_authorization_header_is_not_read(house: Puppet, anybody: Any):
    """Nowhere in the product."""
    for scheme in ("Bearer", "Token"):
        answer = await anybody.get(
            CURRENT, headers={"Authorization": f"{scheme} {await house.token()}"}
        )
        assert (401, texts.UNAUTHENTICATED) == refused(answer)


@pytest.mark.parametrize("policy", ["tower", "netbox", "nautobot"])
async def test_a_token_of_any_policy_says_who_one_is(house: Puppet, anybody: Any, policy: str):
    """Under its own rules."""
    token = await house.token(policy=policy, address=b"\0" * 10 + b"\xff\xff\xc0\0\2\1")
    options = {"headers": {"X-Authentication": token, "User-Agent": ""}}

    tokens = house.house.tokens
    verdict = await tokens.verify(
        token.encode(), address=b"\0" * 10 + b"\xff\xff\xc0\0\2\1", agent=bytes(16), write=False
    )
    assert verdict.allowed
    assert "bob" == await login_of(anybody, **options)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (UNKNOWN, texts.REVOKED_TOKEN),
        ("a" * 40, texts.REVOKED_TOKEN),
        ("eyJh.eyJp.c2ln", texts.REVOKED_TOKEN),
        ("x" * 300 + ".yyyy.zzzz", texts.REVOKED_TOKEN),
        ("garbage", texts.INVALID_TOKEN),
        ("x" * 300, texts.INVALID_TOKEN),
        ("gar bage", texts.INVALID_TOKEN),
        (UNKNOWN[:-1], texts.INVALID_TOKEN),
        ("|no_keepalive", texts.INVALID_TOKEN),
    ],
)
async def test_what_nobody_has_is_revoked_or_garbage(anybody: Any, text: str, kind: str):
    """By its looks alone."""
    for sent in ({"headers": {"X-Authentication": text}}, {"params": {"token": text}}):
        answer = await anybody.get(CURRENT, **sent)
        assert (401, kind) == refused(answer)
        assert text not in answer.text


async def test_each_death_has_its_kind(house: Puppet, anybody: Any):
    """In the recorded words."""
    token = await house.token()
    await house.house.tokens.revoke(token.encode())
    revoked = await anybody.get(CURRENT, headers={"X-Authentication": token})
    expired = await anybody.get(
        CURRENT, headers={"X-Authentication": await house.token(end_ms=1_000_000_000_000)}
    )
    orphan = await house.token("carol")
    await house.house.users.revoke("carol")
    inactive = await anybody.get(CURRENT, headers={"X-Authentication": orphan})

    assert {
        "kind": "puppetlabs.rbac/token-revoked",
        "msg": "Authentication token has been revoked.",
    } == revoked.json()
    assert {
        "kind": "puppetlabs.rbac/token-expired",
        "msg": "The provided token has expired.",
    } == expired.json()
    assert (401, "puppetlabs.rbac/user-revoked") == refused(inactive)
    assert [401, 401] == [revoked.status_code, expired.status_code]


async def test_a_revoked_owner_is_the_reason_while_he_is_one(house: Puppet, anybody: Any):
    """Also when his tokens are tidied away already; reinstated, it is that they are revoked."""
    tokens = [await house.token("carol"), await house.token("carol", policy="netbox", text=CHOSEN)]
    await house.house.users.revoke("carol")
    await house.house.tokens.settle()

    for token in tokens:
        answer = await anybody.get(CURRENT, headers={"X-Authentication": token})
        assert (401, texts.REVOKED_USER) == refused(answer)
    await house.house.users.enable("carol")
    for token in tokens:
        assert REVOKED == refused(await anybody.get(CURRENT, headers={"X-Authentication": token}))


async def test_a_deleted_users_token_is_revoked(house: Puppet, anybody: Any):
    """As if it had never been."""
    token = await house.token("carol")
    await house.house.users.delete("carol")

    assert REVOKED == refused(await anybody.get(CURRENT, headers={"X-Authentication": token}))


async def test_a_token_from_elsewhere_is_revoked_here(house: Puppet, anybody: Any):
    """Networks and binding are no words of this product."""
    fenced = await house.token(policy="netbox", networks=(ip_network("10.0.0.0/8"),))
    bound = await house.token(policy="tower", address=b"\1" * 16)

    for token in (fenced, bound):
        assert REVOKED == refused(await anybody.get(CURRENT, headers={"X-Authentication": token}))


@pytest.mark.parametrize("word", [word for word in Word if word is not Word.OK])
async def test_every_word_of_verify_is_answered(
    house: Puppet, anybody: Any, monkeypatch: pytest.MonkeyPatch, word: Word
):
    """With 401, and 403 for the one that is no fault of the token."""

    async def verdict(*_: object, **__: object) -> Any:
        from service.model import Verdict

        return Verdict(word=word)

    monkeypatch.setattr(house.house.tokens, "verify", verdict)
    status, kind = refused(await anybody.get(CURRENT, headers={"X-Authentication": UNKNOWN}))

    expected = {
        Word.READ_ONLY: (403, texts.DENIED),
        Word.EXPIRED: (401, texts.EXPIRED_TOKEN),
        Word.INACTIVE: (401, texts.REVOKED_USER),
    }
    assert expected.get(word, REVOKED) == (status, kind)


async def test_a_use_without_keep_alive_leaves_no_trace(house: Puppet, anybody: Any):
    """Any other is noted; neither suffix nor its absence changes who one is."""
    token = await house.token()
    assert "bob" == await login_of(anybody, headers={"X-Authentication": f"{token}|no_keepalive"})
    assert "bob" == await login_of(anybody, params={"token": f"{token}|no_keepalive"})
    (unused,) = await house.live()

    await login_of(anybody, headers={"X-Authentication": token})

    (used,) = await house.live()
    assert 0 == unused.last_used_ms < used.last_used_ms


# -- certificates ------------------------------------------------------------------------------


@pytest.fixture
async def listing() -> AsyncIterator[Puppet]:
    """A Puppet Enterprise whose console has a certificate."""
    async with puppet(dialects={"puppet": {"cert_allowlist": [CONSOLE]}}) as made:
        yield made


async def test_an_allow_listed_certificate_is_api_user(listing: Puppet):
    """With the id that it has everywhere, and as a superuser."""
    async with listing.client(cert=f"CN={CONSOLE}") as console:
        answer = await console.get(CURRENT)

    assert {
        "id": "af94921f-bd76-4b58-b5ce-e17c029a2790",
        "login": "api_user",
        "email": "",
        "display_name": "api_user",
        "role_ids": [1],
        "is_group": False,
        "is_remote": False,
        "is_superuser": True,
        "is_revoked": False,
        "last_login": None,
    } == answer.json()


@pytest.mark.parametrize("name", ["CN=agent.example.org", "", f"O={CONSOLE}"])
async def test_any_other_certificate_is_nobody(listing: Puppet, name: str):
    """Also none at all."""
    async with listing.client(cert=name) as agent:
        assert (401, texts.UNAUTHENTICATED) == refused(await agent.get(CURRENT))


async def test_a_token_that_is_presented_decides_alone(listing: Puppet):
    """A good one is its owner, a bad one loses, certificate or not."""
    async with listing.client(cert=f"CN={CONSOLE}") as console:
        token = await listing.token()
        good = await console.get(CURRENT, headers={"X-Authentication": token})
        await listing.house.tokens.revoke(token.encode())
        bad = await console.get(CURRENT, headers={"X-Authentication": token})
        garbage = await console.get(CURRENT, params={"token": "garbage"})
        empty = await console.get(CURRENT, headers={"X-Authentication": ""})

    assert "bob" == good.json()["login"]
    assert (401, texts.REVOKED_TOKEN) == refused(bad)
    assert (401, texts.INVALID_TOKEN) == refused(garbage)
    assert "api_user" == empty.json()["login"]


async def test_a_certificate_makes_no_token(listing: Puppet):
    """There is nobody to own it."""
    async with listing.client(cert=f"CN={CONSOLE}") as console:
        assert (401, texts.UNAUTHENTICATED) == refused(await console.post(TOKENS, json={}))


async def test_a_certificate_revokes_what_a_superuser_may(listing: Puppet):
    """By text in the path, by name; labels it has none."""
    one, two = await listing.token(), await listing.token("carol", label="l")
    async with listing.client(cert=f"CN={CONSOLE}") as console:
        by_text = await console.delete(f"{REVOKE}/{one}")
        by_label = await console.delete(REVOKE, params={"revoke_tokens_by_labels": "l"})
        assert await listing.passes(two)
        by_name = await console.delete(REVOKE, params={"revoke_tokens_by_usernames": "carol"})

    assert [204] * 3 == [answer.status_code for answer in (by_text, by_label, by_name)]
    assert [False, False] == [await listing.passes(token) for token in (one, two)]


async def test_a_users_name_makes_nobody_api_user(listing: Puppet):
    """Somebody may be called so; he is not the one with the certificate."""
    await listing.house.users.add("api_user", "secret")
    token = await listing.token("api_user")
    async with listing.client(token) as impostor, listing.client(cert=f"CN={CONSOLE}") as console:
        own = (await impostor.get(CURRENT)).json()
        other = await impostor.get(
            f"/rbac-api/v1/users/{(await console.get(CURRENT)).json()['id']}"
        )

    assert not own["is_superuser"]
    assert "af94921f-bd76-4b58-b5ce-e17c029a2790" != own["id"]
    assert (403, texts.DENIED) == refused(other)
