"""What came in one turn of the event loop is read together, in its order, before any end."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from service.gate.ground import Ground
from service.gate.lane import Lane
from service.protocol import Limited


class Store:
    """Notes when commands may leave."""

    def __init__(self, notes: list[Any]) -> None:
        self.notes = notes

    def cork(self) -> None:
        self.notes.append("cork")

    def uncork(self) -> None:
        self.notes.append("uncork")


class Reader:
    """Notes what it is to read; chokes on one word."""

    def __init__(self, notes: list[Any], ground: Ground) -> None:
        self.notes, self.ground = notes, ground

    def read(self, data: bytes, now: float) -> None:
        if data == b"bad":
            raise ValueError(data)
        if data == b"end":
            self.ground.serve()  # a connection that ends in the middle of it
        self.notes.append(data)

    def give_up(self, error: Exception) -> None:
        self.notes.append(str(error))


@pytest.fixture
def notes() -> list[Any]:
    """What happened."""
    return []


@pytest.fixture
def ground(notes: list[Any]) -> Ground:
    """One that reads, and can do nothing else."""
    made = Ground.__new__(Ground)
    made.arrived = []
    made.store = Store(notes)  # type: ignore[assignment]
    return made


def test_a_turn_is_read_in_its_order_and_asked_in_one_write(
    ground: Ground, notes: list[Any]
) -> None:
    """A request that cannot be read takes nobody else's answer away."""
    one, other = Reader(notes, ground), Reader(notes, ground)
    ground.arrived = [(one, b"1"), (other, b"bad"), (other, b"end"), (one, b"2")]
    ground.serve()
    ground.serve()

    assert ["cork", b"1", "b'bad'", b"end", b"2", "uncork"] == notes


@pytest.mark.parametrize(
    ("event", "arguments"),
    [("eof_received", ()), ("connection_lost", (None,)), ("shutdown", ()), ("sweep", (0.0,))],
)
def test_what_was_sent_is_read_before_the_end_is_told(
    ground: Ground,
    notes: list[Any],
    event: str,
    arguments: tuple[Any, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A client may send its last request and close in one go."""
    lane = Lane.__new__(Lane)
    lane.ground = ground
    lane.loop = SimpleNamespace(call_soon=lambda *_: None)  # type: ignore[assignment]
    monkeypatch.setattr(Lane, "read", lambda _, data, now: notes.append(data))
    monkeypatch.setattr(Limited, event, lambda *_: notes.append(event), raising=False)
    lane.data_received(b"the last")
    getattr(lane, event)(*arguments)

    assert ["cork", b"the last", "uncork", event] == notes
