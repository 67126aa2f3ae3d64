"""Rows of exports: what they wish, why they cannot be had, and what becomes of many of them."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.arrivals import ELSEWHERE, IMPORTED, THERE, Became, Fate, Importer, refused
from service.core.cells import BadRow
from service.core.importing import (
    COLUMNS,
    Entry,
    Terms,
    binds,
    entry_of,
    looks_like_a_key,
    terms_of,
)
from service.core.secret import Form, digest_of, shard_of_text
from service.errors import TooManyTokens
from service.model import Level, Life, Token, Word
from service.store.keys import shard_of
from tests.makers import CURL, HOME, MINUTE, NETBOX, TOWER, Rig, own_text, wish

KEY = "0123456789abcdef0123456789abcdef01234567"
MIXED = "Zz" + KEY[2:]
SECOND = "nbt_zzzABCDEFGHI." + KEY
TERMS = terms_of(NETBOX)
NAUTOBOT = terms_of(replace(NETBOX, name="nautobot", letter="a"))
DAY = 24 * 60 * MINUTE


def row(**cells: object) -> dict[str, object]:
    """A row of alice's with KEY, unless *cells* say otherwise."""
    return {"key": KEY, "owner": "alice", **cells}


def by_digest(key: str, **cells: object) -> dict[str, object]:
    """The row of a *key* that is not told."""
    digest = hashlib.sha256(key.encode()).hexdigest()
    return row(key="", digest=digest, first4=key[:4], **cells)


def entry(**cells: object) -> Entry:
    """The row of these *cells*, read."""
    return entry_of(row(**cells), TERMS)


def test_a_row_says_everything_about_its_token() -> None:
    """Each column arrives in the wish, or beside it."""
    read = entry(
        owner=" alice ",
        created="2024-03-01 10:00:00.5+01",
        expires="2030-01-01T00:00:00Z",
        write_enabled="f",
        description="nightly",
        allowed_ips="{10.0.0.0/8,2001:db8::/32}",
    )

    assert (KEY, "alice", False, "nightly") == (
        read.wish.text, read.owner, read.wish.write, read.wish.description,
    )  # fmt: skip
    assert (1_709_283_600_500, 1_893_456_000_000) == (read.made_ms, read.wish.end_ms)
    assert (ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")) == read.wish.networks
    assert (digest_of(KEY.encode()), b"\x01\x23") == (read.digest, read.place)


def test_what_a_row_does_not_say_is_as_the_product_has_it() -> None:
    """Made now, for ever, from anywhere, and writing as the policy has it."""
    read = entry()

    assert (0, 0, None, None, "") == (
        read.made_ms, read.wish.end_ms, read.wish.networks, read.wish.write, read.wish.description,
    )  # fmt: skip


@pytest.mark.parametrize("key", [KEY, MIXED, KEY.upper().replace("0", "G"), "Zebra+Kfy/" * 4])
def test_a_digest_finds_the_place_that_its_key_names(key: str) -> None:
    """Four hexadecimal digits are the shard; any other beginning says that it is no such key."""
    known, told = entry(key=key), entry_of(by_digest(key), TERMS)

    assert (known.digest, known.place) == (told.digest, told.place)
    assert shard_of_text(key.encode()) == told.place
    assert "" == told.wish.text


def test_dashes_stand_for_a_key_that_only_begins_like_a_number() -> None:
    """Its place is told by the digest alone."""
    key = "abcd" + "Zebra-Key!" * 3 + "123456"
    told = entry_of({**by_digest(key), "first4": "----"}, TERMS)

    assert shard_of_text(key.encode()) == told.place


def test_netbox_s_second_form_is_a_key_of_netbox() -> None:
    """It stays one in the record; Nautobot has none such."""
    assert Form.NBT is entry(key=SECOND).wish.form
    assert entry().wish.form is None
    with pytest.raises(BadRow, match="40 visible ASCII characters"):
        entry_of(row(key=SECOND), NAUTOBOT)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (True, True),
        (False, False),
        ("t", True),
        ("f", False),
        ("True", True),
        ("FALSE", False),
        ("1", True),
        ("0", False),
        ("yes", True),
        ("no", False),
        ("", None),
        (None, None),
    ],
)
def test_a_truth_has_many_spellings(said: object, meant: bool | None) -> None:
    """Those of psql, of Python and of JSON; nothing is the policy's default."""
    assert meant is entry(write_enabled=said).wish.write


@pytest.mark.parametrize(
    ("said", "ms"),
    [
        ("2024-03-01", 1_709_251_200_000),
        ("2024-03-01T00:00", 1_709_251_200_000),
        ("2024-03-01 00:00:00.1239+00", 1_709_251_200_123),
        ("2024-03-01T00:00:00-00:30", 1_709_253_000_000),
        ("1970-01-01T00:00:00.001Z", 1),
        ("9999-12-31T23:59:59-12:00", 253_402_343_999_000),
        ("", 0),
        (None, 0),
    ],
)
def test_a_moment_is_iso_8601(said: object, ms: int) -> None:
    """With a blank or a T, of any zone, UTC without one."""
    assert ms == entry(expires=said).wish.end_ms


@pytest.mark.parametrize(
    ("said", "networks"),
    [
        (None, None),
        ("", None),
        ("null", None),
        ("None", None),
        ("{}", ()),
        ("[]", ()),
        ([], ()),
        (["10.0.0.1"], ("10.0.0.1/32",)),
        ("10.0.0.0/8, ::1", ("10.0.0.0/8", "::1/128")),
        ('["10.0.0.0/8"]', ("10.0.0.0/8",)),
        ("['10.0.0.0/8', '::/0']", ("10.0.0.0/8", "::/0")),
    ],
)
def test_networks_are_listed_in_any_way(said: object, networks: tuple[str, ...] | None) -> None:
    """Null is not the same as none, though neither restricts."""
    wanted = None if networks is None else tuple(ip_network(each) for each in networks)

    assert wanted == entry(allowed_ips=said).wish.networks


ALIKE = "0123456780" * 4
BAD: list[tuple[dict[str, object], str]] = [
    ({"keys": KEY}, "it has a column that is not one of"),
    ({"key": ""}, "key or digest: it needs one"),
    ({"digest": "00" * 32, "first4": "0123"}, "key or digest: it needs one"),
    ({"key": 7}, "key is not text"),
    ({"key": KEY[:-1]}, "key: it has 40 visible"),
    ({"key": KEY + "8"}, "key: it has 40 visible"),
    ({"key": KEY[:-1] + "ä"}, "key: it has 40 visible"),
    ({"key": KEY[:-1] + ","}, "key: it has 40 visible"),
    ({"key": KEY[:20] + " " + KEY[21:]}, "key: it has 40 visible"),
    ({"key": KEY[:-1] + "\udcff"}, "key is not UTF-8"),
    ({"key": ALIKE}, "key: it has fewer than 10 different"),
    ({"key": "nbt_ABCDEFGHIJKL." + ALIKE}, "key: it has fewer than 10 different"),
    ({"key": None, "digest": "0" * 63, "first4": "0123"}, "digest: it is the SHA-256"),
    ({"key": None, "digest": "00" * 32}, "first4: a digest needs"),
    ({"key": None, "digest": "00" * 32, "first4": "012"}, "first4: a digest needs"),
    ({"key": None, "digest": "00" * 32, "first4": "nbt_"}, "first4: a key of the form nbt_"),
    ({"owner": None}, "owner: a user name has 1 to 150"),
    ({"owner": "a\nb"}, "owner: a user name has no control"),
    ({"owner": "a\udcff"}, "owner is not UTF-8"),
    ({"owner": ["alice"]}, "owner is not text"),
    ({"created": "yesterday"}, "created is not a date"),
    ({"created": 1_709_251_200}, "created is not text"),
    ({"created": "1970-01-01"}, "created lies before 1970"),
    ({"expires": "2024-02-30"}, "expires is not a date"),
    ({"expires": "٢٠٢٤-03-01"}, "expires is not a date"),
    ({"expires": "infinity"}, "expires is not a date"),
    ({"expires": "0001-01-01"}, "expires lies before 1970"),
    ({"write_enabled": "maybe"}, "write_enabled is neither"),
    ({"write_enabled": 1}, "write_enabled is not text"),
    ({"description": "x" * 201}, "description: it has more than 200"),
    ({"description": "a\0b"}, "description: it has a NUL"),
    ({"allowed_ips": "10.0.0.1/8"}, "allowed_ips: number 1 is no .* without host bits"),
    ({"allowed_ips": ["::/0", "home"]}, "allowed_ips: number 2 is no address and no network$"),
    ({"allowed_ips": ["10.0.0.0/33"]}, "allowed_ips: number 1"),
    ({"allowed_ips": ["fe80::1%eth0"]}, "allowed_ips: number 1"),
    ({"allowed_ips": [1]}, "allowed_ips: number 1"),
    ({"allowed_ips": ["::1"] * 257}, "allowed_ips: there are more than 256"),
    ({"allowed_ips": {"a": 1}}, "allowed_ips is not text"),
]


@pytest.mark.parametrize(("cells", "reason"), BAD)
def test_a_row_that_cannot_be_a_token_says_why(cells: dict[str, object], reason: str) -> None:
    """The first thing that is wrong, by its column."""
    with pytest.raises(BadRow, match=f"^{reason}"):
        entry(**cells)


def test_nautobot_takes_a_longer_description() -> None:
    """Each product's own measure."""
    assert 255 == len(entry_of(row(description="x" * 255), NAUTOBOT).wish.description)


@given(st.dictionaries(st.sampled_from(COLUMNS), st.text(alphabet="Zß,-{\n ", min_size=9)))
def test_no_reason_repeats_a_cell(cells: dict[str, str]) -> None:
    """A key in the wrong column is not told."""
    with pytest.raises(BadRow) as refusal:
        entry_of(cells, TERMS)
    reason = str(refusal.value)
    assert not [cell for cell in cells.values() if cell.strip() and cell in reason]


@pytest.mark.parametrize(
    ("text", "is_one"),
    [(KEY, True), (f" {MIXED} ", True), (SECOND, True), ("alice", False), ("a@" + KEY[2:], False)],
)
def test_an_owner_may_be_a_key(text: str, is_one: bool) -> None:
    """An address of 40 characters is none."""
    assert is_one is looks_like_a_key(text)


@pytest.mark.parametrize(
    ("created", "expires", "fits"),
    [
        ("2024-03-01", "2024-03-02", True),
        ("2024-03-01", "2024-03-02T00:00:01", False),
        ("2024-03-01", None, False),
        (None, "2024-03-02", False),
    ],
)
def test_no_row_outlives_its_policy(created: str | None, expires: str | None, fits: bool) -> None:
    """Counted from when it was made, so both must be told."""
    terms = terms_of(replace(NETBOX, max_lifetime_ms=DAY, max_age_ms=2 * DAY))
    if fits:
        entry_of(row(created=created, expires=expires), terms)
        return
    with pytest.raises(BadRow, match="max_lifetime"):
        entry_of(row(created=created, expires=expires), terms)


@pytest.mark.parametrize(("created", "fits"), [("2024-03-02", True), ("2024-03-02T01", False)])
def test_no_row_is_made_in_the_future(created: str, fits: bool) -> None:
    """Where the clock is known; a day is for another product's clock."""
    terms = terms_of(NETBOX, now_ms=1_709_251_200_000)
    assert entry_of(row(created="2999-01-01"), TERMS)
    if fits:
        entry_of(row(created=created), terms)
        return
    with pytest.raises(BadRow, match="created lies in the future"):
        entry_of(row(created=created), terms)


def test_an_end_before_the_beginning_is_that_of_a_dead_token() -> None:
    """The products let a token be ended so."""
    read = entry(created="2024-03-02", expires="2024-03-01")

    assert read.wish.end_ms < read.made_ms


def test_a_policy_that_binds_takes_no_imports() -> None:
    """Nobody knows what such a token would be bound to."""
    assert [True, False, True] == [
        binds(TOWER), binds(NETBOX), binds(replace(NETBOX, bind_agent=Level.ENFORCE)),
    ]  # fmt: skip


# -- taking them in ------------------------------------------------------------------------------


async def take(
    rig: Rig, *rows: dict[str, object], terms: Terms = TERMS, write: bool = True
) -> list[Fate]:
    """What becomes of *rows* in one import."""
    importer = Importer(rig.users, rig.tokens, write=write)
    return await importer.take([entry_of(each, terms) for each in rows])


async def word(rig: Rig, text: str) -> Word:
    """What a use of *text* gets."""
    use = {"address": HOME, "agent": CURL, "write": True}
    return (await rig.tokens.verify(text.encode(), **use)).word


def keys(count: int) -> list[str]:
    """So many different keys."""
    return [hashlib.sha1(b"%d" % i).hexdigest() for i in range(count)]


async def only(rig: Rig, owner: str = "alice") -> Token:
    """The one token that *owner* has."""
    (token,) = await rig.tokens.of_owner(owner)
    return token


@pytest.mark.parametrize("key", [KEY, MIXED, shard_of("alice").hex() + KEY[4:]])
@pytest.mark.parametrize("make", [lambda key: row(key=key), by_digest], ids=["key", "digest"])
async def test_what_went_in_works(rig: Rig, key: str, make: Any) -> None:
    """By the key or by its digest, wherever it points; only a key can be shown again."""
    assert [IMPORTED] == await take(rig, make(key))

    token = await only(rig)
    assert Word.OK == await word(rig, key)
    assert ("netbox", Life.NEVER, "tokenhouse token import") == (
        token.policy, token.life, token.client,
    )  # fmt: skip
    assert (None if "digest" in make(key) else key) == rig.tokens.text_of(token)


async def test_all_that_a_row_says_is_kept(rig: Rig) -> None:
    """The record has it, and the end is in force."""
    fates = await take(
        rig,
        row(
            created="2024-03-01",
            expires="2024-03-02",
            write_enabled=False,
            description="nightly",
            allowed_ips=["10.0.0.0/8"],
        ),
    )
    token = await only(rig)

    assert [IMPORTED] == fates
    assert (1_709_251_200_000, 1_709_337_600_000) == (token.created_ms, token.expires_ms)
    assert (False, "nightly", (ip_network("10.0.0.0/8"),)) == (
        token.write, token.description, token.networks,
    )  # fmt: skip
    assert Word.EXPIRED == await word(rig, KEY)


@pytest.mark.parametrize("make", [lambda key: row(key=key), by_digest], ids=["key", "digest"])
@pytest.mark.parametrize("expires", [None, "2024-03-02"])
async def test_again_is_harmless(rig: Rig, make: Any, expires: str | None) -> None:
    """What is there is left as it is: number, use and end; expired ones, too."""
    rows = [{**make(key), "expires": expires} for key in keys(3)]
    await take(rig, *rows)
    await word(rig, keys(1)[0])
    before = await rig.everything()

    assert [THERE] * 3 == await take(rig, *rows)
    assert before == await rig.everything()


@pytest.mark.parametrize("write", [False, True])
async def test_under_another_policy_it_stays_there(rig: Rig, write: bool) -> None:
    """It is told apart; and what a cut-short import left of its alias is seen to."""
    puppet = replace(NETBOX, name="netbox", letter="p")
    await take(rig, row(), terms=terms_of(puppet))
    alias = rig.keys.token(shard_of_text(KEY.encode()), digest_of(KEY.encode()))
    await rig.run(b"PEXPIRE", alias, MINUTE)

    assert [ELSEWHERE] == await take(rig, row(), write=write)
    assert "puppet" == (await only(rig)).policy
    assert (-1 if write else MINUTE) >= await rig.run(b"PTTL", alias)


async def test_what_was_revoked_here_stays_dead(rig: Rig) -> None:
    """One by one or all at once: the export knows nothing of it."""
    first, second = keys(2)
    await take(rig, row(key=first), row(key=second))
    await rig.tokens.revoke(first.encode())
    one = await take(rig, row(key=first), row(key=second))
    await rig.tokens.revoke_owner("alice")
    both = await take(rig, row(key=first), row(key=second))

    dead = refused("this key was revoked here")
    assert [[dead, THERE], [dead, dead]] == [one, both]
    assert Word.REVOKED == await word(rig, first) == await word(rig, second)


@pytest.mark.parametrize(
    ("expires", "ttl_ms"), [(None, -1), ("2999-01-01", 2 * DAY), ("2024-03-01", 0)]
)
@pytest.mark.parametrize("make", [lambda key: row(key=key), by_digest], ids=["key", "digest"])
async def test_an_import_cut_short_is_finished_by_the_next(
    rig: Rig, make: Any, expires: str | None, ttl_ms: int
) -> None:
    """An alias that would have ended with its first hold lives as long as its record."""
    cells = {**make(KEY), "expires": expires}
    await take(rig, cells)
    alias = rig.keys.token(shard_of_text(KEY.encode()), digest_of(KEY.encode()))
    await rig.run(b"PEXPIRE", alias, MINUTE)

    assert [THERE] == await take(rig, cells)
    left = await rig.run(b"PTTL", alias)
    assert left == -1 if ttl_ms < 0 else left > ttl_ms + NETBOX.grave_ms - MINUTE


async def test_rows_that_cannot_go_in_do_not_hinder_the_others(rig: Rig) -> None:
    """Each has its own fate, in the order of the rows."""
    await rig.owner("bob")
    first, second, third = keys(3)
    await take(rig, row(key=first, owner="bob"))

    rows = (
        row(key=first),
        row(key=second, owner="nobody"),
        row(key=third),
        row(key=third),
    )
    for write in (False, True):
        assert [
            refused("another user has, or had, this key"),
            refused("no such user"),
            IMPORTED,
            refused("an earlier row has the same key"),
        ] == await take(rig, *rows, write=write)
    assert Word.OK == await word(rig, third)


@pytest.mark.parametrize("write", [False, True])
async def test_a_key_made_here_is_nobody_else_s(rig: Rig, write: bool) -> None:
    """Its text points to the record itself; neither does its owner lose it by a row."""
    await rig.owner("bob")
    text = (await rig.tokens.issue(wish("alice", NETBOX))).text

    assert [refused("another user has, or had, this key")] == await take(
        rig, row(key=text, owner="bob"), write=write
    )
    assert [THERE] == await take(rig, row(key=text), write=write)


@pytest.mark.parametrize("owner", ["alice", "bob"])
@pytest.mark.parametrize("write", [False, True])
async def test_an_alias_without_its_record_is_no_obstacle(
    rig: Rig, owner: str, write: bool
) -> None:
    """What an import that was cut short left, or a user deleted long ago."""
    await rig.owner("bob")
    await take(rig, row())
    shard = shard_of("alice")
    await rig.run(b"DEL", rig.keys.token(shard, digest_of(KEY.encode())))
    await rig.run(b"DEL", rig.keys.index(shard, "alice"))

    assert [IMPORTED] == await take(rig, row(owner=owner), write=write)
    assert (Word.OK if write else Word.UNKNOWN) == await word(rig, KEY)


async def test_two_users_of_one_shard_do_not_share_a_key(rig: Rig) -> None:
    """The record itself says whose it is."""
    await rig.owner("u0")
    await rig.owner("u269")
    assert shard_of("u0") == shard_of("u269")
    await take(rig, row(owner="u0"))

    assert [refused("another user has, or had, this key")] == await take(rig, row(owner="u269"))


async def test_nobody_gets_more_tokens_than_the_policy_allows(rig: Rig) -> None:
    """What is there counts; a dry run says the same."""
    await rig.tokens.issue(wish("alice", NETBOX))
    few = terms_of(replace(NETBOX, max_tokens=2))
    rows = [row(key=key) for key in keys(3)]

    full = refused("this user already has 2 tokens")
    for write in (False, True):
        assert [IMPORTED, full, full] == await take(rig, *rows, terms=few, write=write)


async def test_what_has_expired_makes_room(rig: Rig) -> None:
    """And so do tokens of other policies; what lives counts."""
    policy = replace(NETBOX, max_tokens=2)
    old = [await rig.tokens.issue(wish("alice", policy, lifetime_ms=MINUTE)) for _ in range(2)]
    await rig.tokens.issue(wish("alice", TOWER))
    for issued in old:
        token = await rig.tokens.get(issued.token_id)
        await rig.edit(rig.made(token), end_ms=await rig.now() - 1)
    rows = [row(key=key) for key in keys(3)]

    wanted = [IMPORTED, IMPORTED, refused("this user already has 2 tokens")]
    for write in (False, True):
        assert wanted == await take(rig, *rows, terms=terms_of(policy), write=write)
    with pytest.raises(TooManyTokens):
        await rig.tokens.issue(wish("alice", policy, text=own_text("alice")))


async def test_another_import_may_fill_the_house_meanwhile(rig: Rig) -> None:
    """What the look did not see is refused by the store itself."""
    few = terms_of(replace(NETBOX, max_tokens=2))
    first, second, third, fourth = (entry_of(row(key=key), few) for key in keys(4))
    one, other = Importer(rig.users, rig.tokens), Importer(rig.users, rig.tokens)
    await one.take([first])
    await other.take([second])

    assert [refused("this user already has 2 tokens")] == await one.take([third])
    assert [THERE] == [IMPORTED, *await other.take([first])][1:]
    assert Became.REFUSED == (await other.take([fourth]))[0].word


async def test_two_imports_of_the_same_rows_agree(rig: Rig) -> None:
    """The later one finds what its look did not see."""
    one, other = Importer(rig.users, rig.tokens), Importer(rig.users, rig.tokens)
    nothing = [entry_of(row(key=keys(1)[0]), TERMS)]
    await one.take(nothing)
    await other.take(nothing)

    assert [IMPORTED] == await one.take([entry()])
    assert [THERE] == await other.take([entry()])
    assert 2 == len(await rig.tokens.of_owner("alice"))


async def test_a_user_deleted_meanwhile_gets_nothing(rig: Rig) -> None:
    """The store knows better than the look."""
    importer = Importer(rig.users, rig.tokens)
    await importer.take([entry(key=keys(1)[0])])
    await rig.users.delete("alice")

    assert [refused("no such user")] == await importer.take([entry()])


async def test_a_dry_run_writes_nothing(rig: Rig) -> None:
    """It tells who is not there, what is there already, and what would go in."""
    first, second = keys(2)
    await take(rig, row(key=first))
    before = await rig.everything()

    rows = [row(key=first), row(key=second), row(owner="nobody")]
    assert [THERE, IMPORTED, refused("no such user")] == await take(rig, *rows, write=False)
    assert before == await rig.everything()


async def test_a_default_lifetime_is_not_for_what_was_made_elsewhere(rig: Rig) -> None:
    """A row without an end has none, whatever new tokens get."""
    short = terms_of(replace(NETBOX, lifetime_ms=MINUTE))

    assert [IMPORTED] == await take(rig, row(), terms=short)
    assert Life.NEVER == (await only(rig)).life


async def test_a_disabled_user_s_tokens_wait_for_him(rig: Rig) -> None:
    """They are there, and work when he is enabled again."""
    await rig.users.disable("alice")
    fates = [*await take(rig, row()), *await take(rig, row())]
    off = await word(rig, KEY)
    await rig.users.enable("alice")

    assert [IMPORTED, THERE] == fates
    assert (Word.INACTIVE, Word.OK) == (off, await word(rig, KEY))
