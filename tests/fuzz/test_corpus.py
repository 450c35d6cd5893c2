"""The fuzzer's corpus without the fuzzer: every input that ever told it something new, on every machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.__main__ import main
from tests.fuzz.limits import within_limits
from tests.fuzz.seeds import seeds
from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"
ROOT = Path(__file__).parents[2]
MAX_GROWTH_MIB = 300
"""Of the highest memory, over all inputs of all targets."""
MAX_CORPUS_BYTES = 600_000
_REPLAY = """
import resource
from tests.fuzz.test_corpus import inputs
from tests.fuzz.targets import TARGETS
for target in TARGETS.values():
    target(b"")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for name, target in TARGETS.items():
    for data in inputs(name):
        target(data)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def inputs(target: str) -> list[bytes]:
    """A target's corpus and seeds."""
    return [*(path.read_bytes() for path in sorted((CORPUS / target).iterdir())), *seeds(target)]


@pytest.mark.parametrize("target", TARGETS)
def test_every_input_is_decoded_or_refused_as_declared(target: str) -> None:
    """Whatever else is raised, or takes more than a second, fails; so does a corpus that is not there."""
    found = inputs(target)
    assert len(found) > len(list(seeds(target)))
    for data in found:
        within_limits(TARGETS[target], data)


def test_the_corpus_is_small() -> None:
    """It is in every clone."""
    assert sum(path.stat().st_size for path in CORPUS.rglob("*") if path.is_file()) < MAX_CORPUS_BYTES


@pytest.mark.skipif(sys.platform == "darwin", reason="counts memory in KiB, as Linux does")
def test_all_inputs_together_take_little_memory() -> None:
    """In a process of its own, because the highest memory of one never goes down."""
    done = subprocess.run([sys.executable, "-c", _REPLAY], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) / 1024 < MAX_GROWTH_MIB


@pytest.mark.parametrize(
    ("platform", "arguments", "named"), [("darwin", [], "Linux"), ("win32", [], "Linux"), ("linux", ["smell"], "smell")]
)
def test_where_it_cannot_run_it_says_so(
    platform: str, arguments: list[str], named: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2 and one line: on another system, and for a target that there is not."""
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(sys, "argv", ["fuzz", *arguments])
    assert main() == 2
    assert named in capsys.readouterr().err
