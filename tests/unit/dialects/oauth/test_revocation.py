"""RFC 7009 and RFC 8414: tokens are killed, and the endpoints are found."""

from __future__ import annotations

from service.model import NO_AGENT
from tests.unit.dialects.oauth.conftest import OAuth


async def test_a_revoked_token_is_dead_at_once(oauth: OAuth):
    """And revoking it again, or what never was one, is no fault (§2.2)."""
    made = await oauth.token()
    answers = [await oauth.revoke(text) for text in (made.text, made.text, "0" * 40, "th_x", "x")]
    verdict = await oauth.house.tokens.verify(
        made.text.encode(), address=b"", agent=NO_AGENT, write=False
    )

    assert [(200, b"")] * 5 == [(answer.status_code, answer.content) for answer in answers]
    assert "revoked" == verdict.word


async def test_a_token_revokes_itself_and_no_other_dies(oauth: OAuth):
    """Who holds a token may end it, whoever he is."""
    mine, other, found = [await oauth.token() for _ in range(3)]

    assert 200 == (await oauth.revoke(mine.text, mine.text)).status_code
    assert 401 == (await oauth.revoke(other.text, mine.text)).status_code
    assert 200 == (await oauth.revoke(found.text, ("carol", "pw"))).status_code
    alive = [(await oauth.ask(each.text)).json()["active"] for each in (mine, other, found)]
    assert [False, True, False] == alive


async def test_nobody_revokes_without_saying_who_he_is(oauth: OAuth):
    """And nothing dies."""
    made = await oauth.token()
    answer = await oauth.http.post("/revoke", data={"token": made.text})

    assert (401, "invalid_client") == (answer.status_code, answer.json()["error"])
    assert (await oauth.ask(made.text)).json()["active"]


async def test_the_metadata_lead_to_the_endpoints(oauth: OAuth):
    """RFC 8414 §2 and §3.2; the issuer is what the client reached."""
    answer = await oauth.http.get("/.well-known/oauth-authorization-server")
    told = answer.json()

    assert "https://auth.test" == told["issuer"]
    assert "https://auth.test/oauth/introspect" == told["introspection_endpoint"]
    assert "https://auth.test/oauth/revoke" == told["revocation_endpoint"]
    assert [] == told["response_types_supported"] == told["grant_types_supported"]
    assert "client_secret_basic" in told["introspection_endpoint_auth_methods_supported"]
