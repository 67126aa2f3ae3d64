"""What we ship is whole: the wheel alone, in an empty environment, can run every script."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.servers import Server

ROOT = Path(__file__).parents[2]

RUN_ONE_SCRIPT = """
import sys, redis, service
from service.store.scripts import load_all

print(service.__file__)
script = load_all()["revoke_owner"]
with redis.Redis.from_url(sys.argv[1]) as client:
    for source in (script.fenced, script.plain):
        print(client.execute_command("EVAL", source, 2, "o:{abcd}", "c:{abcd}", "nobody"))
"""


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """What *command* prints; its complaint when it fails."""
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def lonely_python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that has the wheel and our dependencies, and has never seen the checkout."""
    venv = tmp_path_factory.mktemp("lonely") / "venv"
    uv = (sys.executable, "-m", "uv", "--offline", "--quiet", "--no-config")
    run(*uv, "venv", "--python", sys.executable, venv)
    python = venv / "bin" / "python"
    run(*uv, "pip", "install", "--no-deps", "--no-cache", "--python", python, wheel)
    (packages,) = venv.glob("lib/python*/site-packages")
    # A path file inside the folder that it names is not read, so the editable install stays out.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def test_the_wheel_has_every_script_and_module_and_no_test(wheel: Path):
    """Each file of service/ and lua/ is inside, the scripts within the package, and no other."""
    ours = {
        *(path.relative_to(ROOT).as_posix() for path in (ROOT / "service").rglob("*.py")),
        *(f"service/{path.relative_to(ROOT)}" for path in (ROOT / "lua").rglob("*.lua")),
    }
    names = set(zipfile.ZipFile(wheel).namelist())
    tops = {name.partition("/")[0].partition("-")[0] for name in names}

    assert set() == ours - names
    assert {"service", "tokenhouse"} == tops


def test_the_wheel_carries_its_licence(wheel: Path):
    """The licence travels with every copy."""
    names = zipfile.ZipFile(wheel).namelist()

    assert [name for name in names if name.endswith("dist-info/licenses/LICENSE")]


def test_the_source_package_has_whatever_make_needs(tmp_path: Path):
    """Each file of the checkout's folders is inside, and what lies beside them."""
    run(sys.executable, "-m", "hatchling", "build", "--target", "sdist", "--directory", tmp_path)
    (built,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(built) as packed:
        modes = {name.partition("/")[2]: packed.getmember(name).mode for name in packed.getnames()}
    folders = ("service", "lua", "tests", "bench", "deploy", "docs", ".ci")
    ours = {
        path.relative_to(ROOT).as_posix()
        for folder in folders
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert set() == {*ours, ".luacheckrc", "Makefile", "pyproject.toml", "README.md"} - set(modes)
    assert modes[".ci/venv"] & 0o100


def test_an_installed_wheel_runs_a_script(
    lonely_python: Path, redis_server: Server, tmp_path: Path
):
    """Away from the checkout both flavours of a script load from the package and decide."""
    printed = run(lonely_python, "-Ic", RUN_ONE_SCRIPT, redis_server.url, cwd=tmp_path).splitlines()

    assert Path(printed[0]).is_relative_to(lonely_python.parents[1])
    assert ["[b'unknown']"] * 2 == printed[1:]
