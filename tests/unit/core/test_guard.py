"""The login guard over two nodes: guessing meets an end, whoever knows the password gets in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from service.core.address import pack
from service.core.guard import STRANGERS
from service.errors import BadCredentials, Busy, DisabledLogin, StoreDown, TooManyAttempts
from service.model import User
from tests.makers import AWAY, HOME, Rig
from tests.patience import until
from tests.servers import Server

ATTEMPTS = 10


@pytest.fixture
async def pair(redis_server: Server) -> AsyncIterator[tuple[Rig, Rig]]:
    """Two nodes on one Redis; ``alice`` has the password ``right``."""
    options = {"attempts": ATTEMPTS, "passwords": {"cache_s": 0, "queue": 200}}
    async with Rig(redis_server.url, **options) as one, Rig(redis_server.url, **options) as two:
        await one.users.add("alice", "right")
        yield one, two


async def guess(
    rig: Rig, password: str = "wrong", *, name: str = "alice", address: bytes = AWAY
) -> User | type[Exception]:
    """What comes of one guess."""
    try:
        return await rig.logins.check(name, password, address=address)
    except (BadCredentials, TooManyAttempts, Busy) as refused:
        return type(refused)


def place(number: int) -> bytes:
    """One of many addresses."""
    return pack(f"198.18.{number // 250}.{number % 250}")


def computed(pair: tuple[Rig, Rig]) -> int:
    """How many hashes both nodes have computed."""
    return sum(rig.passwords.computed for rig in pair)


async def test_parallel_wrong_guesses_compute_no_more_than_the_limit(pair):
    """Sixty-four wrong guesses at once over two nodes are ten hashes."""
    found = await asyncio.gather(*(guess(pair[n % 2]) for n in range(64)))

    assert ATTEMPTS == computed(pair) == found.count(BadCredentials)
    assert 64 - ATTEMPTS == found.count(TooManyAttempts)


async def test_guesses_from_everywhere_meet_an_end(pair):
    """From two hundred addresses an account takes its own guesses and those kept for strangers."""
    found = await asyncio.gather(*(guess(pair[n % 2], address=place(n)) for n in range(200)))

    assert found.count(BadCredentials) <= ATTEMPTS * (1 + STRANGERS)
    assert found.count(TooManyAttempts) >= 200 - ATTEMPTS * (1 + STRANGERS)


async def test_one_address_meets_an_end_over_many_accounts(pair):
    """Guessing at a hundred accounts from one address is ten hashes."""
    found = await asyncio.gather(*(guess(pair[n % 2], name=f"user{n}") for n in range(100)))

    assert ATTEMPTS == computed(pair) == found.count(BadCredentials)


async def test_the_owner_gets_in_while_an_attack_runs(pair):
    """The right password from an address that has not guessed passes, during and after."""
    one, two = pair
    attack = asyncio.gather(*(guess(pair[n % 2]) for n in range(64)))
    during = await guess(two, "right", address=HOME)
    await attack
    after = [await guess(rig, "right", address=HOME) for rig in (one, two, one)]

    assert {"alice"} == {user.name for user in (during, *after)}
    assert TooManyAttempts is await guess(one, "right", address=AWAY)


async def test_parallel_right_logins_all_succeed(pair):
    """Fifty right logins at once from one address, five times the limit, all pass."""
    found = await asyncio.gather(*(guess(pair[n % 2], "right") for n in range(50)))

    assert {"alice"} == {user.name for user in found}
    assert [] == await pair[0].run(b"KEYS", b"g:*")


async def test_a_network_of_addresses_is_one(pair):
    """Addresses of one IPv6 /64 share a bucket, IPv4 addresses do not."""
    for number in range(ATTEMPTS):
        address = pack(f"2001:db8::{number + 1:x}")
        assert BadCredentials is await guess(pair[0], name=f"user{number}", address=address)

    assert TooManyAttempts is await guess(pair[0], name="x", address=pack("2001:db8::ffff"))
    assert BadCredentials is await guess(pair[0], name="x", address=pack("2001:db8:0:1::1"))
    assert BadCredentials is await guess(pair[0], name="x", address=pack("9.9.9.10"))


@pytest.mark.parametrize("spelled", ["ALICE", "ａｌｉｃｅ", " alice ", "Alice"])
async def test_spellings_of_a_name_share_a_bucket(pair, spelled: str):
    """Case, width and blanks give an attacker no more guesses."""
    for number in range(ATTEMPTS):
        assert BadCredentials is await guess(pair[0], name=spelled, address=place(number))
    for address in (place(100), place(0)):
        await guess(pair[0], name="alice", address=address)

    assert ATTEMPTS == int(await pair[0].run(b"HGET", await account(pair[0]), b"n"))


async def account(rig: Rig) -> bytes:
    """The key of the one account bucket."""
    return (await rig.run(b"KEYS", b"g:a:*"))[0]


async def test_unknown_users_are_guarded_like_known_ones(pair):
    """Whether a user exists does not show in when the guard steps in."""
    for name in ("alice", "nobody"):
        address = place(len(name))
        found = [await guess(pair[0], name=name, address=address) for _ in range(ATTEMPTS + 2)]
        assert [BadCredentials] * ATTEMPTS + [TooManyAttempts] * 2 == found


async def test_the_wait_is_told_in_seconds(pair):
    """Retry-After is what is left of the wait, rounded up."""
    for _ in range(ATTEMPTS):
        await guess(pair[0])

    with pytest.raises(TooManyAttempts) as refused:
        await pair[0].logins.check("alice", "right", address=AWAY)
    assert 29 <= refused.value.retry_after_s <= 30


async def test_a_guess_that_could_not_be_made_is_given_back(pair):
    """Neither a busy pool nor a store that fails costs the client a guess."""
    one, _ = pair
    for error in (Busy(), StoreDown("gone")):
        for _ in range(ATTEMPTS * 2):
            with pytest.raises(type(error)):
                async with one.guard.guess("alice", AWAY):
                    raise error
            await asyncio.gather(*one.guard._background)

    assert [] == await one.run(b"KEYS", b"g:*")


async def test_a_refused_account_does_not_use_up_the_address(pair):
    """Whoever is turned away for the account's sake keeps his address's guesses."""
    one, _ = pair
    await asyncio.gather(*(guess(pair[n % 2], address=place(n)) for n in range(200)))
    for rig in pair:
        await asyncio.gather(*rig.guard._background)
    for _ in range(ATTEMPTS * 2):
        assert TooManyAttempts is await guess(one, address=HOME)
        await asyncio.gather(*one.guard._background)

    assert BadCredentials is await guess(one, name="other", address=HOME)


async def test_a_guess_that_is_cut_off_counts_after_five_seconds(pair):
    """A client that goes away in the middle of a guess has not found a way around the limit."""
    one, two = pair

    inside: list[int] = []

    async def hang(number: int) -> None:
        async with one.guard.guess("alice", AWAY):
            inside.append(number)
            await asyncio.sleep(60)

    tasks = [asyncio.create_task(hang(number)) for number in range(ATTEMPTS)]
    await until(lambda: len(inside) == ATTEMPTS)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for key in await one.run(b"KEYS", b"g:*"):
        aged = int(await one.run(b"HGET", key, b"t")) - 5_000
        await one.run(b"HSET", key, b"t", aged)

    assert TooManyAttempts is await guess(two)
    assert 0 == computed(pair)


async def test_zero_attempts_turns_the_guard_off(redis_server: Server):
    """Without a limit nothing is counted and nobody waits."""
    async with Rig(redis_server.url, attempts=0) as rig:
        await rig.users.add("alice", "right")

        found = [await guess(rig) for _ in range(30)]

        assert {BadCredentials} == set(found)
        assert [] == await rig.run(b"KEYS", b"g:*")


async def test_buckets_hold_no_name(pair):
    """What is counted is a digest of the account; a dump does not say whom anybody tried."""
    await guess(pair[0], name="secret-name")

    assert b"secret-name" not in b"".join(await pair[0].run(b"KEYS", b"g:*"))


async def used_up(rig: Rig, *, name: str = "alice", address: bytes = AWAY) -> bool:
    """Whether one wrong guess was told to be the last that the account had."""
    with pytest.raises(BadCredentials) as refused:
        await rig.logins.check(name, "wrong", address=address)
    return refused.value.used_up


async def test_the_last_guess_of_an_account_says_so(pair):
    """The tenth, and every one after a wait; not those of an address that tries many accounts."""
    one, two = pair
    found = [await used_up(pair[n % 2], address=place(n)) for n in range(ATTEMPTS)]
    strange = await used_up(one, address=place(200))
    others = [await used_up(two, name=f"user{n}", address=HOME) for n in range(ATTEMPTS)]

    assert [False] * (ATTEMPTS - 1) + [True] == found
    assert strange
    assert not any(others)


async def test_right_passwords_on_their_way_use_nothing_up(pair):
    """Nine logins that are not decided yet, and one wrong guess among them."""
    one, _ = pair
    ready, inside = asyncio.Event(), set()

    async def hold(number: int) -> None:
        async with one.guard.guess("alice", place(number)):
            inside.add(number)
            await ready.wait()

    tasks = [asyncio.create_task(hold(number)) for number in range(ATTEMPTS - 1)]
    await until(lambda: len(inside) == ATTEMPTS - 1)
    last = await used_up(one, address=place(100))
    ready.set()
    await asyncio.gather(*tasks)

    assert not last
    assert 1 == int(await one.run(b"HGET", await account(one), b"n"))


async def test_a_forgiven_account_begins_anew(pair):
    """In any spelling of its name; the addresses that guessed still wait."""
    one, two = pair
    for number in range(ATTEMPTS + 2):
        await guess(one, address=place(number))
    assert [b"g:a:", b"g:r:"] == sorted(key[:4] for key in await one.run(b"KEYS", b"g:[ar]:*"))

    await two.logins.forgive("ALICE")

    assert [] == await one.run(b"KEYS", b"g:[ar]:*")
    assert not await used_up(one, address=place(0))


async def test_a_disabled_user_who_knows_his_password_counts_as_a_guess(pair):
    """He learns that he is disabled, and is held to the limit."""
    one, _ = pair
    await one.users.disable("alice")
    found = [await guess(one, "right") for _ in range(ATTEMPTS + 1)]

    assert [DisabledLogin] * ATTEMPTS + [TooManyAttempts] == found
