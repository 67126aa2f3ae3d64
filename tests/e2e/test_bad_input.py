"""Whatever arrives at Tower's paths, the answer is a clear no and the store stays as it was."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as bounded
from hypothesis import strategies as st

from tests.conftest import or_skip
from tests.e2e.conftest import AUTHTOKEN, PASSWORD, prepare
from tests.e2e.raw import (
    BODIES,
    CHUNKED,
    CHUNKS,
    CREDENTIALS,
    FORM,
    GOOD,
    HEADS,
    HOST,
    JSON,
    ODD_PATHS,
    SECRET,
    Answer,
    ask,
    fault,
    head,
    login_body,
    parse,
    request,
    talk,
)
from tests.nodes import Node, tokenhouse
from tests.servers import NEWEST, Memory, Pool, Server, wait_until

ME = "/api/v2/me/"

UNDER_A_VERSION = {
    "": 405,
    "authtoken/": 400,
    "ping/": 405,
    "auth/": 405,
    "config/": 401,
    "me/": 401,
    "users/": 401,
    "users/1/": 401,
}
PATHS = {
    base + path: status
    for base in ("", "/tower")
    for path, status in {
        "/api/": 405,
        "/api/o/": 404,
        **{
            f"/api/{version}/{name}": status
            for version in ("v1", "v2")
            for name, status in UNDER_A_VERSION.items()
        },
    }.items()
}
"""Every path with its answer to a POST without body and credentials."""


@dataclass
class House:
    """A node and what it must not lose; *guessed* is set where wrong passwords are tried."""

    node: Node
    server: Server | Memory
    guessed: bool = False
    before: dict[bytes, bytes] = field(default_factory=dict)

    def dump(self) -> dict[bytes, bytes]:
        """The whole store; without the counters of wrong guesses, where there were any."""
        keys = sorted(self.server.cli("KEYS", "*"))
        kept = [key for key in keys if not (self.guessed and key.startswith(b"g:"))]
        return {key: self.server.cli("DUMP", key) for key in kept}

    def ask(self, raw: bytes) -> Answer:
        """The one answer to *raw*."""
        return ask(self.node.url, raw)

    def login(self, name: str, password: str) -> Answer:
        """The answer to one login as JSON."""
        body = json.dumps({"username": name, "password": password}).encode()
        return self.ask(request("POST", AUTHTOKEN, JSON, body=body))


@pytest.fixture(scope="module")
def node(server_pool: Pool) -> Iterator[Node]:
    """A node that waits long for its store, so that a slow machine is no error of the client."""
    server = or_skip(lambda: server_pool.get(NEWEST))
    node = Node(server.url, {"TOKENHOUSE_STORE__TIMEOUT": "5s"})
    yield node
    node.stop()


@pytest.fixture
def house(node: Node, redis_server: Server | Memory) -> Iterator[House]:
    """The node with the user alice; afterwards nothing has changed and alice gets in."""
    prepare(redis_server.url, "alice")
    said = len(node.lines)
    house = House(node, redis_server)
    house.before = house.dump()
    yield house

    assert house.before == house.dump()
    for key in redis_server.cli("KEYS", "g:*"):
        redis_server.cli("DEL", key)
    assert 200 == house.login("alice", PASSWORD).status
    wait_until(lambda: "user alice logged in" in "".join(node.lines[said:]), "the login's line")
    lines = node.lines[said:]
    levels = {json.loads(line)["level"] for line in lines}
    assert levels <= {"info", "warning"}, lines
    assert not [line for line in lines if "Traceback" in line or SECRET in line]


@pytest.mark.parametrize("name", BODIES)
def test_a_bad_body_is_refused_on_every_path(house: House, name: str) -> None:
    """The body's fault is told where bodies are read, and elsewhere the path's."""
    status, header, body = BODIES[name]
    faults = {}
    for path, otherwise in PATHS.items():
        wanted = status if "authtoken" in path or status == 413 else otherwise
        answer = house.ask(request("POST", path, header, body=body))
        faults[path] = fault(answer, wanted)

    assert {} == {path: text for path, text in faults.items() if text}


@pytest.mark.parametrize("name", HEADS)
def test_a_broken_head_is_refused_in_the_shape_of_its_path(house: House, name: str) -> None:
    """What is refused before any application is asked still reads like Tower, and is the end."""
    status, make = HEADS[name]
    faults = {}
    for path in PATHS:
        answer = house.ask(make(path))
        faults[path] = fault(answer, status) or "close" not in answer.headers["connection"]

    assert {} == {path: text for path, text in faults.items() if text}


@pytest.mark.parametrize("name", CHUNKS)
def test_a_broken_chunk_is_refused_on_every_path(house: House, name: str) -> None:
    """Where bodies are not read the answer may be out before the fault has arrived."""
    status, rest = CHUNKS[name]
    faults = {}
    for path, otherwise in PATHS.items():
        wanted = (status,) if "authtoken" in path else (status, otherwise)
        faults[path] = fault(house.ask(head(path, HOST, CHUNKED, rest=rest)), *wanted)

    assert {} == {path: text for path, text in faults.items() if text}


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "TRACE", "CONNECT", "M-SEARCH"])
def test_an_odd_method_is_refused_on_every_path(house: House, method: str) -> None:
    """Methods that no view has are 405, once it is clear who asks."""
    faults = {}
    for path, status in PATHS.items():
        if method == "GET" and status == 405:
            continue
        wanted = 405 if "authtoken" in path else status
        faults[path] = fault(house.ask(request(method, path, JSON, body=GOOD)), wanted)

    assert {} == {path: text for path, text in faults.items() if text}


@pytest.mark.parametrize("method", ["BREW", "get", "POST\tX", "\0", "\x16\x03\x01", ""])
def test_what_is_no_method_is_refused_unread(house: House, method: str) -> None:
    """The parser stops before the path, so the refusal is plain text and the connection ends."""
    answer = house.ask(request(method, AUTHTOKEN, JSON, body=GOOD))

    assert (400, b"Bad Request") == (answer.status, answer.body)


@pytest.mark.parametrize("path", ODD_PATHS, ids=lambda path: path[:40])
def test_an_odd_path_is_refused(house: House, path: str) -> None:
    """No spelling of a path leads anywhere that its plain text does not."""
    assert "" == fault(house.ask(request("POST", path)), ODD_PATHS[path])


@pytest.mark.parametrize("path", ["//evil.test/x", "/%5cevil.test", "/api/%0d%0aSet-Cookie:a=b"])
def test_no_redirection_leaves_the_house(house: House, path: str) -> None:
    """A path without its last slash is sent to a path of this host, in one line."""
    for raw in (f"/api/v2{path}", f"/tower{path}", path):
        answer = house.ask(request("GET", raw))
        place = answer.headers.get("location", "/there")
        assert answer.status in (301, 404)
        assert place.startswith("/")
        assert place[1:2] not in ("/", "\\")
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("host", [b"a/api/v2/ping/?x=", b"[::1", b"\xff", b"a b", b"", b"a:b:c@d"])
def test_a_hostile_host_changes_nothing(house: House, host: bytes) -> None:
    """The Host header is never read as part of the path."""
    end = b" HTTP/1.1\r\nConnection: close\r\nHost: " + host + b"\r\n\r\n"
    login = house.ask(b"POST " + AUTHTOKEN.encode() + end)
    use = house.ask(b"GET " + ME.encode() + end)

    assert ("", "") == (fault(login, 400), fault(use, 401))


@pytest.mark.parametrize("name", CREDENTIALS)
def test_an_odd_credential_is_refused(house: House, name: str) -> None:
    """Whatever is no good token and no good login is 401, wherever somebody must be known."""
    house.guessed = name.startswith("basic")
    for path in (path for path, status in PATHS.items() if status == 401):
        assert "" == fault(house.ask(request("GET", path, CREDENTIALS[name])), 401, 429)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("page=0", 404),
        ("page=-1", 404),
        ("page=%00", 404),
        ("page=" + "9" * 5_000, 404),
        ("page=1e400", 404),
        ("page=%D9%A1", 404),
        ("page=2", 404),
        ("username=%00&page=2", 404),
        ("is_superuser__in=1", 400),
        ("username__startswith=" + SECRET, 400),
        ("%00=%00", 400),
        ("%ff=%ff", 400),
        ("format=xml", 404),
    ],
    ids=lambda value: str(value)[:30],
)
def test_an_odd_query_is_refused(house: House, query: str, status: int) -> None:
    """A good token in hand, what cannot be answered is 400 or 404 and still changes nothing."""
    token = house.login("alice", PASSWORD).json()["token"].encode()
    proof = b"Authorization: Token " + token
    first_use = house.ask(request("GET", ME, proof))
    house.before = house.dump()
    answer = house.ask(request("GET", f"/api/v2/users/?{query}", proof))

    assert 200 == first_use.status
    assert "" == fault(answer, status)


GUESSES = {
    "name of 151 characters": login_body('"%s"' % ("a" * 151), f'"{SECRET}"'),
    "name of 60,000 characters": login_body('"%s"' % ("a" * 60_000), f'"{SECRET}"'),
    "name of control characters": login_body('"\\u0001\\u001b[2J\\r\\nal\\u0085"', f'"{SECRET}"'),
    "name with NUL": login_body('"alice\\u0000"', f'"{SECRET}"'),
    "name of a lone surrogate": login_body('"\\ud800"', f'"{SECRET}"'),
    "password with NUL": login_body('"alice"', f'"{PASSWORD}\\u0000"'),
    "password of lone surrogates": login_body('"alice"', '"\\udfff\\ud800"'),
    "password of 1,025 bytes": login_body('"alice"', '"%s"' % ("a" * 1_025)),
    "password of 65,000 bytes": login_body('"alice"', '"%s"' % ("a" * 65_000)),
    "password beyond all numbers": login_body('"alice"', "1e400"),
    "password of 60,000 digits": login_body('"alice"', "9" * 60_000),
    "name twice": b'{"username": 1, ' + GOOD[1:],
}


@pytest.mark.parametrize("name", GUESSES)
def test_an_odd_name_or_password_is_a_wrong_one(house: House, name: str) -> None:
    """They are strings like others, so they are tried, counted and refused in the same words."""
    house.guessed = True
    refused = {"__all__": ["Unable to login with provided credentials."]}
    for path in (path for path in PATHS if "authtoken" in path):
        answer = house.ask(request("POST", path, JSON, body=GUESSES[name]))
        assert (400, refused) == (answer.status, answer.json())


def test_a_form_may_have_a_nul(house: House) -> None:
    """A NUL in a form is a wrong name too."""
    house.guessed = True
    body = b"username=al%00ice&password=" + SECRET.encode()

    assert "" == fault(house.ask(request("POST", AUTHTOKEN, FORM, body=body)), 400)


@pytest.mark.parametrize("name", ["#", "al}{ice", "{}", "a:b", "*", "\\", "o'neil", "\N{DOG FACE}"])
def test_a_user_may_be_called_anything(house: House, name: str) -> None:
    """Names that look like parts of keys, patterns and paths log in and are told back."""
    prepare(house.server.url, name, init=False)
    token = house.login(name, PASSWORD).json()["token"].encode()
    me = house.ask(request("GET", ME, b"Authorization: Token " + token))
    house.before = house.dump()

    assert [name] == [user["username"] for user in me.json()["results"]]


def test_both_spellings_of_an_accent_are_one_user(house: House) -> None:
    """Composed or not, the same name logs in and gets the same token."""
    name = "Zo\N{LATIN SMALL LETTER E WITH DIAERESIS}"
    prepare(house.server.url, name, init=False)
    spellings = [unicodedata.normalize(form, name) for form in ("NFC", "NFD")]
    answers = [house.login(spelling, PASSWORD) for spelling in spellings]
    house.before = house.dump()

    assert spellings[0] != spellings[1]
    assert [200, 200] == [answer.status for answer in answers]
    assert 1 == len({answer.json()["token"] for answer in answers})


def test_the_longest_password_counts_to_its_last_byte(house: House) -> None:
    """1,024 bytes log in; one more, one fewer or another one at the end does not."""
    longest = "\N{EURO SIGN}" * 341 + "x"
    add = ("user", "add", "bob", "--password-stdin")
    made = tokenhouse(*add, store=house.server.url, stdin=longest)
    tried = [longest, longest + "x", longest[:-1], longest[:-1] + "y"]
    statuses = [house.login("bob", password).status for password in tried]
    house.guessed = True
    house.before = house.dump()

    assert 0 == made.returncode, made.stderr
    assert [200, 400, 400, 400] == statuses


TEXTS = st.binary(max_size=40).map(lambda raw: raw.replace(b"\r", b"").replace(b"\n", b""))
NAMES = st.sampled_from(
    b"accept authorization x-auth-token cookie content-type content-encoding host user-agent "
    b"x-forwarded-for forwarded expect upgrade connection te trailer range origin".split()
)
WORDS = st.sampled_from([b"", b"Token ", b"Basic ", b"text/html;", b"application/json", b"token="])
LINES = st.builds(b"%b: %b%b".__mod__, st.tuples(NAMES, WORDS, TEXTS))
VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
OBJECTS = st.fixed_dictionaries({"username": VALUES, "password": VALUES})
PAYLOADS = st.binary(max_size=300) | (OBJECTS | VALUES).map(json.dumps).map(str.encode)
fuzzed = bounded(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def refuses(house: House, raw: bytes) -> bool:
    """Whether the node answers *raw* with whole refusals, or hangs up on it."""
    house.guessed = True
    answers = parse(talk(house.node.url, raw, patience_s=0.5))
    return all(answer.status in range(400, 500) for answer in answers)


@fuzzed
@given(lines=st.lists(LINES | TEXTS, max_size=6))
def test_no_header_breaks_a_login(house: House, lines: list[bytes]) -> None:
    """Any bytes may stand in the headers of a login that has no password."""
    assert refuses(house, request("POST", AUTHTOKEN, *lines, body=b"{}"))


@fuzzed
@given(lines=st.lists(LINES | TEXTS, max_size=6))
def test_no_header_breaks_a_use(house: House, lines: list[bytes]) -> None:
    """Any bytes may stand in the headers of a request that must prove whom it is from."""
    assert refuses(house, request("GET", ME, *lines))


@fuzzed
@given(header=st.sampled_from([JSON, FORM, CHUNKED + b"\r\n" + JSON]), body=PAYLOADS)
def test_no_body_breaks_a_login(house: House, header: bytes, body: bytes) -> None:
    """Any bytes and any JSON may be sent for a login."""
    raw = request("POST", AUTHTOKEN, header, body=None if CHUNKED in header else body)

    assert refuses(house, raw + body if CHUNKED in header else raw)
