"""A script's header is its contract: what it takes, what it answers, which clock it reads."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path

import pytest

from service.model import Word

LUA = Path(__file__).parents[2] / "lua"
LIBRARY = LUA / "lib"

SHEBANGS = {"#!lua", "#!lua flags=allow-oom"}
TYPES = {"hash", "zset", "string", "stream"}
SLOT = re.compile(r"-- (KEYS|ARGV)\[(\d+)(\.\.)?\] +\w+ *(\w*).*")
SAID = re.compile(r"-- (RETURNS|CLOCK) +(.*)")
MORE = re.compile(r"-- {2,}(\S.*)")
INCLUDE = re.compile(r"-- @include (\w+)")
REPLY = re.compile(r"return \{\s*['\"](\w+)['\"]")
CALL = re.compile(r"redis\.call\(\s*['\"](\w+)['\"](?:,\s*([^,)]+))?")

ABSENT = re.compile(r"\b(?:cjson|cmsgpack|bit|struct)\.|error_reply|sha1hex|\bpcall\b")
"""What fakeredis lacks or 6.2 words differently."""

UNBOUNDED = {"KEYS", "SCAN", "HSCAN", "SSCAN", "ZSCAN", "HGETALL", "SMEMBERS", "HKEYS", "HVALS"}


def code_of(text: str) -> str:
    """*text* without its comments."""
    return re.sub(r"--.*", "", text.partition("\n")[2] if text.startswith("#!") else text)


class Contract:
    """A script's header, read strictly, and the code below it."""

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        self.lines = path.read_text("utf-8").splitlines()
        self.code = code_of("\n".join(self.lines))
        self.slots: dict[str, list[int]] = {"KEYS": [], "ARGV": []}
        self.open_from: dict[str, int] = {}
        self.types: list[str] = []
        self.said: dict[str, str] = {}
        self._read([line for line in self.lines if line.startswith("--")])

    def _read(self, header: list[str]) -> None:
        last = ""
        for line in header:
            if slot := SLOT.fullmatch(line):
                self._declare(slot[1], int(slot[2]), open_ended=bool(slot[3]))
                self.types += [slot[4]] if slot[1] == "KEYS" else []
                last = ""
            elif said := SAID.fullmatch(line):
                last = said[1]
                self.said[last] = f"{self.said.get(last, '')} {said[2]}".strip()
            elif last and (more := MORE.fullmatch(line)):
                self.said[last] += f" {more[1]}"

    def _declare(self, kind: str, number: int, *, open_ended: bool) -> None:
        assert kind not in self.open_from, f"{kind}[{number}] after an open range"
        self.slots[kind].append(number)
        if open_ended:
            self.open_from[kind] = number

    @cached_property
    def includes(self) -> list[str]:
        """The library functions it asks for."""
        return [found[1] for line in self.lines if (found := INCLUDE.fullmatch(line))]

    @cached_property
    def full_code(self) -> str:
        """Its code with that of its library functions."""
        return "\n".join([self.code, *(code_of(library_text(name)) for name in self.includes)])

    @property
    def returns(self) -> set[str]:
        """The first word of every answer it announces."""
        return {answer.split()[0] for answer in self.said["RETURNS"].split("|")}

    def used(self, kind: str) -> set[int]:
        """The numbers of KEYS or ARGV in the code, as such or as the start of a loop over them."""
        literal = re.findall(rf"\b{kind}\[(\d+)\]", self.full_code)
        loops = re.findall(rf"= (\d+), #{kind}\b", self.full_code)
        return {int(number) for number in [*literal, *loops]}

    def computes(self, kind: str) -> bool:
        """True when it uses one of them by a computed number."""
        return bool(re.search(rf"\b{kind}\[[^\]\d]", self.full_code))


def library_text(name: str) -> str:
    """The text of one library function."""
    return (LIBRARY / f"{name}.lua").read_text("utf-8")


SCRIPTS = {path.stem: path for path in sorted(LUA.glob("*.lua"))}
FUNCTIONS = {path.stem: path for path in sorted(LIBRARY.glob("*.lua"))}


@pytest.fixture(params=SCRIPTS)
def script(request: pytest.FixtureRequest) -> Contract:
    """Each script in turn."""
    return Contract(SCRIPTS[request.param])


def test_a_script_begins_with_its_fence_its_name_and_a_sentence(script: Contract):
    """The first line chooses when Redis refuses it, the second says what it does."""
    assert script.lines[0] in SHEBANGS
    assert re.fullmatch(rf"-- {script.name}: [a-z].*[.:;,\w]", script.lines[1])
    assert any(line.endswith(".") for line in script.lines[1:3])


@pytest.mark.parametrize("kind", ["KEYS", "ARGV"])
def test_what_a_script_takes_is_what_its_header_says(script: Contract, kind: str):
    """KEYS and ARGV are declared from 1 on without a gap, and exactly those are used."""
    declared = script.slots[kind]
    fixed = {number for number in declared if number != script.open_from.get(kind)}
    used = script.used(kind) - {script.open_from.get(kind)}

    assert list(range(1, len(declared) + 1)) == declared
    assert fixed == used
    assert (kind in script.open_from) == script.computes(kind)


def test_every_key_names_its_type(script: Contract):
    """The header says of each key which Redis type it holds."""
    assert script.types
    assert set(script.types) <= TYPES


def test_a_script_answers_with_the_words_of_its_header_and_no_others(script: Contract):
    """Every reply is a table that begins with an announced word, and each word can be reached."""
    assert script.returns == set(REPLY.findall(script.full_code))


def test_a_script_ends_with_an_answer(script: Contract):
    """No script falls off its end: that would be a null, which is no verdict."""
    assert re.search(r"\nreturn \{ '\w+'[^\n]*\}\s*$", script.code)


def test_a_script_reads_the_clock_when_its_header_says_so(script: Contract):
    """CLOCK is "server" for a script that asks for the time, and "none" for any other."""
    reads = "now_ms" in script.includes or "call('TIME')" in script.code
    assert ("server" if reads else "none") == script.said["CLOCK"].split(";")[0]


def test_the_clock_is_read_once(script: Contract):
    """A script decides by one moment: 6.2 and 7.0 let the clock run on inside it."""
    assert len(re.findall(r"\bnow_ms\(\)|'TIME'", script.code)) <= 1


def test_a_script_includes_what_it_uses_and_uses_what_it_includes(script: Contract):
    """Each library function a script asks for exists and is used; it is asked for once."""
    assert sorted(set(script.includes)) == sorted(script.includes)
    assert set(script.includes) <= set(FUNCTIONS)
    assert [] == [name for name in script.includes if not re.search(rf"\b{name}\b", script.code)]


def test_a_script_needs_nothing_that_some_server_lacks(script: Contract):
    """No cjson, cmsgpack, bit, struct, error_reply or pcall: every server must run it alike."""
    assert [] == ABSENT.findall(script.full_code)


def test_a_script_touches_declared_keys_only_and_walks_no_key_space(script: Contract):
    """Each command's key comes from KEYS, and none reads more than it was told to."""
    calls = CALL.findall(script.full_code)

    assert UNBOUNDED.isdisjoint(command for command, _ in calls)
    assert [] == [
        (command, key)
        for command, key in calls
        if command != "TIME" and not key.startswith("KEYS[") and key != "key"
    ]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_library_file_is_one_function_of_its_name(name: str):
    """A library file defines the one function it is named after, and includes no other."""
    text = library_text(name)

    assert [name] == re.findall(r"^local function (\w+)\(", text, re.MULTILINE)
    assert text.startswith("-- ")
    assert "@include" not in text


def test_every_library_function_has_a_user():
    """Nothing stays in the library that no script asks for."""
    wanted = {name for path in SCRIPTS.values() for name in Contract(path).includes}

    assert set(FUNCTIONS) == wanted


def test_the_words_of_all_scripts_are_the_words_of_the_model():
    """Python and Lua share one vocabulary: no word is missing on either side."""
    said = set().union(*(Contract(path).returns for path in SCRIPTS.values()))

    assert {word.value for word in Word} == said
