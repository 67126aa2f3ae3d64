"""Loads the Lua scripts: includes expanded, one source per flavour of server."""

from __future__ import annotations

import hashlib
import re
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_INCLUDE = re.compile(r"^-- @include (\w+)$", re.MULTILINE)

# Servers before Redis 7 and fakeredis know no shebang. A write that changes nothing stands in for
# it: like the shebang it is refused by a replica, by a cut-off master with min-replicas-to-write
# and by a server that cannot persist. Where the shebang would refuse a full memory too, the write
# must be one that may enlarge the memory.
_FENCE = {
    "#!lua flags=allow-oom": "redis.call('HDEL', KEYS[1], '')",
    "#!lua": "redis.call('HINCRBY', KEYS[1], '', 0) redis.call('HDEL', KEYS[1], '')",
}


@dataclass(frozen=True, slots=True)
class Script:
    """One operation as source and SHA-1, *fenced* for Redis >= 7, *plain* for all others."""

    name: str
    fenced: bytes
    plain: bytes
    sha_fenced: bytes
    sha_plain: bytes


def _folder() -> Path:
    package = Path(__file__).parent.parent / "lua"
    return package if package.is_dir() else Path(__file__).parent.parent.parent / "lua"


def _sha(source: bytes) -> bytes:
    # SHA-1 is how Redis names a script, not a protection of ours.
    return hashlib.sha1(source, usedforsecurity=False).hexdigest().encode()


def expand(source: str, library: Path) -> str:
    """*source* with each ``-- @include name`` line replaced by ``library/name.lua``."""
    return _INCLUDE.sub(
        lambda found: (library / f"{found[1]}.lua").read_text("utf-8").rstrip("\n"), source
    )


def load(path: Path) -> Script:
    """The script in *path*; KeyError when its first line is no shebang of ours."""
    shebang, _, body = path.read_text("utf-8").partition("\n")
    body = expand(body, path.parent / "lib")
    fenced = f"{shebang}\n{body}".encode()
    plain = f"{_FENCE[shebang]}\n{body}".encode()
    return Script(path.stem, fenced, plain, _sha(fenced), _sha(plain))


@cache
def load_all() -> dict[str, Script]:
    """Every script by name."""
    found = {path.stem: load(path) for path in sorted(_folder().glob("*.lua"))}
    if not found:
        raise FileNotFoundError("no Lua scripts beside the package")
    return found


def write_all(folder: Path) -> None:
    """Write each script as it is sent to ``folder/fenced`` and ``folder/plain``."""
    for script in load_all().values():
        for flavour, source in (("fenced", script.fenced), ("plain", script.plain)):
            (folder / flavour).mkdir(parents=True, exist_ok=True)
            (folder / flavour / f"{script.name}.lua").write_bytes(source)


if __name__ == "__main__":
    write_all(Path(sys.argv[1]))
