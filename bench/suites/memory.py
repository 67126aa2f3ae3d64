"""What a token weighs in Redis, with everything that comes with it."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import mean

from bench import report, stage
from bench.bulk import CHUNK, Filler, Held, batches
from bench.options import Options
from service.core.secret import digest_of, shard_of_text

PER_USER = 5
SAMPLE = 1_000
REHASH_S = 30
STORED = "$argon2id$v=19$m=19456,t=2,p=1$" + "s" * 22 + "$" + "h" * 43
"""As long as a real password hash."""


def run(options: Options) -> None:
    """Weigh every policy at every size."""
    sizes = (100_000,) if options.quick else (100_000, 1_000_000)
    weighed = {
        (policy, size): weigh(policy, size, options)
        for policy in ("tower", "netbox")
        for size in sizes
    }
    report.say(f"Memory: bytes, {PER_USER} tokens a user", report.machine())
    head = ["policy", "tokens", "a token in all", "once used", "RSS", "its hash", "in the index"]
    head += ["its name", "a user"]
    columns = ("token", "used", "rss", "hash", "index", "names", "user")
    rows = [
        [policy, f"{size:,}", *(f"{found[name]:.0f}" for name in columns)]
        for (policy, size), found in weighed.items()
    ]
    print(report.table(head, rows) + "\n")
    print("A token in all and once used: without the user; RSS: all by tokens, users too.\n")
    results = [
        {"policy": policy, "tokens": size, **found} for (policy, size), found in weighed.items()
    ]
    report.save(options.out, "memory", {"machine": report.machine(), "results": results})


def weigh(policy: str, size: int, options: Options) -> dict[str, float]:
    """Bytes of a token of *policy* when there are *size* of them."""
    with stage.redis(options) as server:
        filler = Filler(server)
        owners = [f"user{number:06}" for number in range(size // PER_USER)]
        empty = settled(filler, "used_memory")
        filler.users(owners, STORED)
        peopled = settled(filler, "used_memory")
        held = filler.tokens(owners, range(PER_USER), policy, keep=size)
        issued = settled(filler, "used_memory")
        for batch in batches(filler.use(held), CHUNK):
            filler.pipe.send(batch)
        used, rss = settled(filler, "used_memory"), settled(filler, "used_memory_rss")
        found = {
            "user": (peopled - empty) / len(owners),
            "token": (issued - peopled) / size,
            "used": (used - peopled) / size,
            "rss": (rss - empty) / size,
            **parts(filler, held),
        }
        filler.close()
        return found


def settled(filler: Filler, name: str) -> float:
    """A field of ``INFO memory`` once no table of Redis is being moved."""
    deadline = time.monotonic() + REHASH_S
    while time.monotonic() < deadline:
        facts = filler.pipe.info("memory")
        if facts.get("mem_overhead_db_hashtable_rehashing", "0") == "0":
            break
        time.sleep(0.2)
    return float(filler.pipe.info("memory")[name])


def parts(filler: Filler, held: list[Held]) -> dict[str, float]:
    """Where the bytes of a token are, by MEMORY USAGE of some."""
    keys = filler.house.tokens.store.keys
    some = held[:: max(1, len(held) // SAMPLE)]

    def share(key_of: Callable[[bytes, Held], bytes]) -> float:
        shards = [shard_of_text(each.text.encode()) for each in some]
        names = [key_of(shard, each) for shard, each in zip(shards, some, strict=True)]
        asked = [(b"MEMORY", b"USAGE", name, b"SAMPLES", 0) for name in names]
        return mean(reply or 0 for reply in filler.pipe.send(asked))

    return {
        "hash": share(lambda shard, each: keys.token(shard, digest_of(each.text.encode()))),
        "index": share(lambda shard, each: keys.index(shard, each.owner)) / PER_USER,
        "names": share(lambda shard, each: keys.names(shard, each.owner)) / PER_USER,
    }
