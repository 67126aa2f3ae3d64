"""Whether a verify costs more when there are more tokens, in all or of one user."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from bench import report, stage
from bench.bulk import Filler, Held, cost_us
from bench.options import Options
from bench.processes import cores

CALLS = 100_000
QUICK_CALLS = 20_000
PER_USER = 10


@dataclass(frozen=True)
class Size:
    """How many tokens there are, and how many of them each user has."""

    tokens: int
    per_user: int


def run(options: Options) -> None:
    """Measure both ways of growing."""
    most = 100_000 if options.quick else 1_000_000
    by_total = dict(grow_total(options, most))
    by_user = dict(grow_user(options, most // 10))
    report.say("Verify by number of tokens: CPU µs of Redis a call", report.machine())
    for measured in (by_total, by_user):
        rows = [
            [f"{size.tokens:,}", f"{size.per_user:,}", report.column(samples, "verify")]
            for size, samples in measured.items()
        ]
        print(report.table(["live tokens", "of each user", "CPU µs a verify"], rows) + "\n")
    results = [
        {"tokens": size.tokens, "per_user": size.per_user, "rounds": samples}
        for measured in (by_total, by_user)
        for size, samples in measured.items()
    ]
    report.save(options.out, "scale", {"machine": report.machine(), "results": results})


def grow_total(options: Options, most: int) -> Iterator[tuple[Size, list[dict[str, float]]]]:
    """One Redis that gets ten times as many tokens again and again; ten of each user."""
    with stage.redis(options, core=cores().serving) as server:
        filler = Filler(server)
        held: list[Held] = []
        users = 0
        for tokens in (10**power for power in range(3, 7) if 10**power <= most):
            owners = [f"user{number:06}" for number in range(users, tokens // PER_USER)]
            users += len(owners)
            filler.users(owners)
            held += filler.tokens(owners, range(PER_USER))
            yield Size(tokens, PER_USER), costs(filler, held, options)
        filler.close()


def grow_user(options: Options, total: int) -> Iterator[tuple[Size, list[dict[str, float]]]]:
    """As many tokens each time, of ever fewer users."""
    for per_user in (each for each in (1, 10, 100, 1_000, 10_000) if each <= total):
        with stage.redis(options, core=cores().serving) as server:
            filler = Filler(server)
            owners = [f"user{number:06}" for number in range(total // per_user)]
            filler.users(owners)
            held = filler.tokens(owners, range(per_user))
            yield Size(total, per_user), costs(filler, held, options)
            filler.close()


def costs(filler: Filler, held: list[Held], options: Options) -> list[dict[str, float]]:
    """What a verify of any of *held* costs, round by round."""
    calls = QUICK_CALLS if options.quick else CALLS
    chosen = random.Random(1).choices(held, k=calls)
    commands = filler.use(chosen)
    cost_us(filler.pipe, commands)  # the first use of a token writes more
    return [{"verify": cost_us(filler.pipe, commands, [b"ok"])} for _ in range(options.rounds)]
