"""Password checks: bounded, remembered only when right, and of one cost for all."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from service.core.passwords import MAX_PASSWORD, Passwords, public_part
from service.errors import Busy
from tests.patience import until


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    """Cheap ones, with two threads and two waiting places."""
    made = Passwords(time_cost=1, memory_kib=8, hashers=2, queue=2)
    yield made
    made.close()


class Gate:
    """Holds every check up until it is opened."""

    def __init__(self, passwords: Passwords) -> None:
        self.open = threading.Event()
        self.held = 0
        verify = passwords._verify

        def held(stored: str, raw: bytes) -> bool:
            self.held += 1
            self.open.wait(30)
            return verify(stored, raw)

        passwords._verify = held  # type: ignore[method-assign]


async def test_the_right_password_fits_and_others_do_not(passwords: Passwords):
    """A hash fits its password only."""
    stored = await passwords.hash("right")

    assert await passwords.check("a", stored, "right")
    for wrong in ("", "Right", "right ", "right\0", "r" * MAX_PASSWORD, "\ud800", "ｒight"):
        assert not await passwords.check("a", stored, wrong)


@pytest.mark.parametrize("password", ["ä🔑 ", " ", "x" * MAX_PASSWORD, "a\0b", "\ud800"])
async def test_any_password_that_can_be_set_can_be_used(passwords: Passwords, password: str):
    """Unicode, blanks, NUL and 1024 bytes are passwords like others."""
    raw = password.encode("utf-8", "surrogatepass")
    stored = passwords._hasher.hash(raw)

    assert await passwords.check("a", stored, password)
    assert not await passwords.check("a", stored, password + "x")


async def test_too_long_a_password_never_fits(passwords: Passwords):
    """Nothing beyond 1024 bytes is compared, so no prefix of it can fit."""
    stored = await passwords.hash("x" * MAX_PASSWORD)

    assert not await passwords.check("a", stored, "x" * (MAX_PASSWORD + 1))


@pytest.mark.parametrize("stored", ["", "!", "$argon2id$", "$2b$12$abc", "plain", "\0"])
async def test_what_is_no_hash_fits_nothing(passwords: Passwords, stored: str):
    """No password fits an empty or foreign hash, not even an equal text."""
    for password in ("", stored, "x"):
        assert not await passwords.check("a", stored, password)


async def test_users_who_do_not_exist_cost_one_check(passwords: Passwords):
    """Unknown users, wrong and overlong passwords compute exactly as much as a right one."""
    stored = await passwords.hash("right")
    cases = [("a", stored, "wrong"), ("b", "", "x"), ("c", stored, "x" * 5_000), ("a", "", "")]

    for number, case in enumerate([("a", stored, "right"), *cases], 1):
        await passwords.check(*case)
        assert number == passwords.computed


async def test_the_dummy_costs_what_the_config_says():
    """The hash compared for unknown users has the parameters of real ones."""
    passwords = Passwords(time_cost=2, memory_kib=16, hashers=1)

    assert not passwords.outdated(passwords._dummy)
    assert "m=16,t=2,p=1" in passwords._dummy
    passwords.close()


async def test_only_a_right_password_is_remembered(passwords: Passwords):
    """A second right check computes nothing, a second wrong one does."""
    stored = await passwords.hash("right")

    for _ in range(3):
        assert await passwords.check("a", stored, "right")
    assert 1 == passwords.computed

    for _ in range(3):
        assert not await passwords.check("a", stored, "wrong")
    assert 4 == passwords.computed


async def test_what_is_remembered_is_one_user_hash_and_password(passwords: Passwords):
    """A changed hash, or another user with it, is checked anew."""
    first, second = await passwords.hash("right"), await passwords.hash("right")
    await passwords.check("a", first, "right")

    await passwords.check("a", second, "right")
    await passwords.check("b", first, "right")

    assert 3 == passwords.computed
    other = await passwords.hash("other")
    assert not await passwords.check("a", other, "right")


async def test_what_is_remembered_is_forgotten():
    """After its seconds, or with none given, a right password is computed again."""
    for seconds in (0.0, 0.01):
        passwords = Passwords(time_cost=1, memory_kib=8, hashers=1, cache_s=seconds)
        stored = await passwords.hash("right")
        await passwords.check("a", stored, "right")
        await asyncio.sleep(0.02)
        await passwords.check("a", stored, "right")
        assert 2 == passwords.computed
        passwords.close()


async def test_the_memory_is_bounded_and_holds_no_password(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch
):
    """Ten thousand are remembered at most, as digests under a key of this process."""
    monkeypatch.setattr("service.core.passwords.REMEMBERED", 3)
    stored = await passwords.hash("secret-word")
    for number in range(10):
        await passwords.check(f"user{number}", stored, "secret-word")

    assert 3 == len(passwords._good)
    assert {32} == {len(key) for key in passwords._good}
    assert b"secret-word" not in b"".join(passwords._good)


async def test_more_than_can_wait_are_busy(passwords: Passwords):
    """Two work, two wait, the fifth is told to come again; then there is room."""
    stored = await passwords.hash("right")
    gate = Gate(passwords)
    tasks = [asyncio.create_task(passwords.check("a", stored, "right")) for _ in range(4)]
    await asyncio.sleep(0)

    with pytest.raises(Busy):
        await passwords.check("b", stored, "right")

    gate.open.set()
    assert [True] * 4 == await asyncio.gather(*tasks)
    await until(lambda: passwords._places == 4)
    assert await passwords.check("b", stored, "right")


async def test_a_cancelled_waiter_frees_its_place(passwords: Passwords):
    """Whoever goes away while waiting makes room at once; one that is computed, when it is done."""
    stored = await passwords.hash("right")
    gate = Gate(passwords)
    tasks = [asyncio.create_task(passwords.check("a", stored, "right")) for _ in range(4)]
    await until(lambda: gate.held == 2)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0.05)

    assert 2 == passwords._places
    gate.open.set()
    await until(lambda: passwords._places == 4)


async def test_the_loop_is_free_while_passwords_are_checked(passwords: Passwords):
    """Checks run in threads: the event loop goes on."""
    stored = await passwords.hash("right")
    gate = Gate(passwords)
    task = asyncio.create_task(passwords.check("a", stored, "right"))

    await asyncio.wait_for(asyncio.sleep(0.01), 1)

    assert not task.done()
    gate.open.set()
    assert await task


def test_outdated_hashes_are_told(passwords: Passwords):
    """A hash of other parameters is outdated; one that is no hash is left alone."""
    strong = Passwords(time_cost=2, memory_kib=8, hashers=1)
    stored = strong._hasher.hash("x")
    strong.close()

    assert passwords.outdated(stored)
    assert not passwords.outdated(passwords._dummy)
    assert not passwords.outdated("no hash")


def test_the_public_part_is_not_the_hash(passwords: Passwords):
    """Parameters and salt tell two hashes apart and give nothing away."""
    one, two = passwords._hasher.hash("x"), passwords._hasher.hash("x")

    assert public_part(one) != public_part(two)
    assert one.encode().startswith(public_part(one))
    assert one.rsplit("$", 1)[1].encode() not in public_part(one)
    assert b"" == public_part("") == public_part("none")


def test_a_check_that_outlives_its_loop_says_nothing(caplog: pytest.LogCaptureFixture):
    """A node that ends does not wait for it."""
    passwords = Passwords(time_cost=1, memory_kib=8, hashers=1)
    gate = Gate(passwords)

    async def begin() -> None:
        task = asyncio.create_task(passwords.check("a", "", "right"))
        await until(lambda: gate.held == 1)
        task.cancel()

    asyncio.run(begin())
    gate.open.set()
    passwords._pool.shutdown(wait=True)

    assert not caplog.records
