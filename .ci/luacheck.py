"""Run luacheck on the files named: the machine's own, or Debian's inside this Python.

luacheck is Lua only, so the Lua that fakeredis brings along can run it; nothing is installed.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from lupa import lua51

ROOT = Path(__file__).parent.parent
TREE = ROOT / ".tools" / "luacheck"
CONFIG = ROOT / ".luacheckrc"

LOAD = """
local tree, config = ...
package.path = tree .. '/?.lua;' .. tree .. '/?/init.lua'
local read, options = assert(loadfile(config)), {}
setfenv(read, options)()
return require 'luacheck', options
"""

CHECK = """
local luacheck, options, source, report = ...
for _, event in ipairs(luacheck.check_strings({ source }, options)[1]) do
  report(event.line, event.column, event.code, luacheck.get_message(event))
end
"""


def fetch() -> None:
    """Unpack luacheck into ``.tools``; exit with what to do when that fails."""
    command = [str(ROOT / ".ci" / "debian"), "lua-check", str(TREE)]
    if subprocess.run(command, check=False).returncode:
        sys.exit("luacheck: not on the PATH, and no Debian package to be had: install luacheck")


def findings(files: list[str]) -> list[str]:
    """What luacheck has to say about *files*, a line each."""
    lua = lua51.LuaRuntime()
    luacheck, options = lua.execute(LOAD, str(TREE / "usr/share/lua/5.1"), str(CONFIG))
    found: list[str] = []
    for name in files:

        def report(*event: Any, name: str = name) -> None:
            line, column, code, message = event
            found.append(f"{name}:{line}:{column}: ({code}) {message}")

        lua.execute(CHECK, luacheck, options, Path(name).read_text("utf-8"), report)
    return found


def main(files: list[str]) -> int:
    """Zero when luacheck has nothing to say."""
    if not files or not all(Path(name).is_file() for name in files):
        sys.exit("luacheck: no such scripts")
    if shutil.which("luacheck"):
        command = ["luacheck", "--config", str(CONFIG), "--no-color", *files]
        return subprocess.run(command, check=False).returncode
    if not TREE.is_dir():
        fetch()
    found = findings(files)
    sys.stdout.writelines(f"{line}\n" for line in found)
    print(f"luacheck: {len(files)} scripts, {len(found)} warnings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
