"""The reasons are a promise: each is explained, and the page says what the code does."""

from __future__ import annotations

import re

from service.core.address import Trust
from service.gate.answer import Answers
from service.gate.lane import _FINAL
from service.gate.question import EXT, Asking, Missing
from service.gate.reasons import REASONS
from service.model import Word
from tests.nodes import ROOT

PAGE = (ROOT / "docs/reasons.md").read_text("utf-8")
ROWS = re.findall(r"^\| `(\w+)` \| (\d+) \| (.*) \|$", PAGE, re.MULTILINE)


def test_the_page_has_every_reason_with_its_sentence_and_status():
    """In the words of the code, and with the status that the gate gives."""
    answers = Answers(Asking(trust=Trust([]), ip_header="x-forwarded-for"))
    statuses = {
        **{missing: answers.unasked(missing, EXT)[0] for missing in Missing},
        **{word: answers.deny(word, EXT)[0] for word in REASONS if isinstance(word, Word)},
        Word.OK: 200,
    }

    assert {str(reason): text for reason, text in REASONS.items()} == {
        name: text for name, _, text in ROWS
    }
    assert {str(reason): status for reason, status in statuses.items()} == {
        name: int(status) for name, status, _ in ROWS
    }


def test_there_is_a_sentence_for_everything_that_can_be_said():
    """What the lane and the scripts may answer, and what needs no store."""
    assert {*Missing, *_FINAL.values(), Word.OK} == {*REASONS}
