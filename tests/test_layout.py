"""The repository's own rules: which way imports point, what is light, and what no file may name."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("syncline", "processors", "models", "streams", "verify", "demo")
"""In the order in which imports may point: each may import those before it."""
HEAVY = {"faust", "mode", "aiokafka", "torch"}
PURE = ("streams/join", "streams/decisions", "streams/inference/batcher.py")


def committed_files() -> list[Path]:
    """Files that git knows; where there is no git, nothing can be committed."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def python_files(*places: str) -> Iterator[Path]:
    """Python files at or below the places."""
    for place in places:
        path = ROOT / place
        yield from [path] if path.is_file() else sorted(path.rglob("*.py"))


def imported_roots(path: Path) -> set[str]:
    """Top-level packages that a file imports, at its top or inside its functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_one_way(package: str) -> None:
    """syncline <- processors <- models <- streams <- verify <- demo; the command line alone may reach up, lazily."""
    later = set(PACKAGES[PACKAGES.index(package) + 1 :])
    wrong = {
        str(path.relative_to(ROOT)): sorted(imported_roots(path) & later)
        for path in python_files(package)
        if imported_roots(path) & later and not path.is_relative_to(ROOT / "syncline" / "cli")
    }
    assert wrong == {}


def rooms(depth: int) -> dict[str, set[str]]:
    """By room the rooms that it imports from. A room is a folder `depth` deep or less, or a file on a package's top."""
    files = {path.relative_to(ROOT) for path in python_files(*PACKAGES)}
    modules = {".".join(path.with_suffix("").parts).removesuffix(".__init__"): path for path in files}

    def room(path: Path) -> str:
        return str(Path(*path.parts[: min(depth, len(path.parts) - 1)]) if len(path.parts) > 2 else path)

    found: dict[str, set[str]] = {}
    for path in files:
        for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
                to = {
                    room(modules[name if name in modules else node.module]) for name in names if node.module in modules
                }
                found.setdefault(room(path), set()).update(to - {room(path)})
    return found


@pytest.mark.parametrize("depth", [2, 4])
def test_no_room_imports_itself_by_way_of_another(depth: int) -> None:
    """Rooms can be read from the ground up: none is needed to understand what it needs."""
    left = rooms(depth)
    while done := {name for name, needs in left.items() if not needs & left.keys()}:
        left = {name: needs for name, needs in left.items() if name not in done}
    assert left == {}


def test_the_pure_parts_import_neither_faust_nor_kafka_nor_torch() -> None:
    """Join, decisions and batcher take a clock and bytes; what they need of the world is handed in."""
    files = list(python_files(*PURE))
    assert len(files) > 5
    assert {str(path): imported_roots(path) & HEAVY for path in files if imported_roots(path) & HEAVY} == {}


PRIVATE_PARTS = {
    *(f"streams/kafka/{name}.py" for name in ("consumer_thread", "producer")),
    *(f"syncline/kafka/{name}.py" for name in ("client", "routines", "tolerant_fetch", "topics")),
}
"""Where names with an underscore of aiokafka's objects are read or written: docs/development.md says which."""


def test_private_parts_of_aiokafka_are_touched_in_few_files() -> None:
    """The linter refuses them elsewhere: each file that it lets pass is in the list, and in the docs."""
    places = [path.relative_to(ROOT) for path in python_files("syncline", "streams")]
    assert {str(place) for place in places if "SLF001" in (ROOT / place).read_text(encoding="utf-8")} == PRIVATE_PARTS
    told = (ROOT / "docs" / "development.md").read_text(encoding="utf-8").split("## Private parts")[1].split("\n## ")[0]
    assert {place for place in PRIVATE_PARTS if Path(place).stem not in told} == set()


def test_importing_syncline_is_light() -> None:
    """`import syncline` takes under 100 ms of CPU time and works where torch and faust cannot be imported.

    The best of five counts: other work on the machine makes it slower, nothing makes it faster.
    """
    program = (
        "import sys, time\n"
        "for name in ('torch', 'faust', 'mode', 'numpy', 'typer'): sys.modules[name] = None\n"
        "started = time.process_time()\n"
        "import syncline\n"
        "print((time.process_time() - started) * 1000)\n"
    )
    times_ms = []
    for _ in range(5):
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False)
        assert done.returncode == 0, done.stderr
        times_ms.append(float(done.stdout))
    assert min(times_ms) < 100, times_ms


def test_producer_and_consumer_work_without_the_service() -> None:
    """What the package exports can be imported where torch and faust cannot."""
    program = (
        "import sys\n"
        "for name in ('torch', 'faust', 'mode', 'typer', 'rich'): sys.modules[name] = None\n"
        "import syncline.producer, syncline.consumer, syncline.kafka.topics, syncline.broker\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr


# Written apart, so that this file does not name them itself.
HOSTS = ("pypi" + r"\.org", "pythonhosted" + r"\.org", "pytorch" + r"\.org/whl", "maven" + r"\.org/maven2",
         "registry" + r"\.npmjs", "--extra-" + "index-url", "nexus" + r"[./-]", "artifactory" + r"[./-]")  # fmt: skip


def texts() -> Iterator[tuple[str, str]]:
    """Name and text of each committed text file."""
    for path in committed_files():
        data = path.read_bytes()
        if b"\0" not in data[:4096]:
            yield str(path.relative_to(ROOT)), data.decode("utf-8", "replace")


def test_no_committed_file_names_a_registry() -> None:
    """Where packages come from is the business of the machine that installs them."""
    pattern = re.compile("|".join(HOSTS))
    assert [name for name, text in texts() if pattern.search(text)] == []


def test_no_committed_file_names_a_path_of_this_machine() -> None:
    """Neither the checkout's folder nor a home folder stands in any file."""
    homes = {str(Path.home()), str(ROOT), *(os.environ.get(name, "") for name in ("VIRTUAL_ENV", "JAVA_HOME"))}
    places = [re.escape(home) + r"[/\s\"']" for home in homes if len(home) > 4]
    assert [name for name, text in texts() if re.search("|".join(places), text)] == []
