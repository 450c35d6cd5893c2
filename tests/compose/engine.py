"""A Docker engine, compose v2 and the images that ours are built on: those that are here, or made for the run."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import yaml

from syncline.subprocess_guard import Child
from tests.compose.stack import ROOT, docker

STANDIN = Path(__file__).parent / "standin"
STANDIN_OVERRIDE = STANDIN / "compose.yaml"
_COMPOSE = ROOT / ".cache" / "compose" / "docker-compose"
_PACKAGES = ("docker.io", "debootstrap")
_START_LIMIT_S = 60.0


class CannotRunError(Exception):
    """This machine cannot run containers; says what is missing."""


class Engine(NamedTuple):
    """compose: the words that start compose v2. stand_ins: whether the base images were made here."""

    version: str
    compose: list[str]
    stand_ins: bool


@contextmanager
def engine(data_root: Path | None) -> Generator[Engine]:
    """The engine that runs here; where none does, one of Debian's that ends with the block.

    data_root: where an engine that is started here keeps images (13 GB) and containers; default: where Docker does.
    Raises `CannotRunError` where there is none and none can be installed.
    """
    started = None if _answers() else _start(data_root)
    try:
        compose = _compose()
        stand_ins = _base_images()
        version = docker("version", "--format", "{{.Server.Version}}").strip()
        told = subprocess.run([*compose, "version", "--short"], capture_output=True, text=True, check=True).stdout
        yield Engine(f"Docker {version}, compose {told.strip()}", compose, stand_ins)
    finally:
        if started is not None:
            started.stop(60.0)


def _answers() -> bool:
    return (
        shutil.which("docker") is not None
        and subprocess.run(["docker", "info"], capture_output=True, check=False, timeout=60).returncode == 0
    )


def _start(data_root: Path | None) -> Child:
    if any(shutil.which(tool) is None for tool in ("dockerd", "debootstrap")):
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            raise CannotRunError("no Docker engine answers `docker info`; to install one takes root on Debian")
        _say(f"installing {', '.join(_PACKAGES)}")
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for words in (["update"], ["install", "-y", "--no-install-recommends", *_PACKAGES]):
            subprocess.run(["apt-get", "-qq", *words], check=True, stdout=subprocess.DEVNULL, env=environment)
    _say("starting dockerd")
    child = Child(["dockerd", *([] if data_root is None else ["--data-root", str(data_root)])])
    deadline_s = time.monotonic() + _START_LIMIT_S
    while not _answers():
        if child.returncode is not None or time.monotonic() > deadline_s:
            told = child.output()
            child.stop()
            raise CannotRunError(f"dockerd does not answer:\n{told}")
        time.sleep(0.2)
    return child


def _compose() -> list[str]:
    """Compose v2: the engine's plugin, or a build of its source that is kept in .cache."""
    if subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0:
        return ["docker", "compose"]
    if not _COMPOSE.is_file():
        if shutil.which("go") is None:
            raise CannotRunError("no `docker compose` here; to build it takes Go")
        _say("building compose v2 (5 minutes)")
        subprocess.run(["sh", str(STANDIN / "compose.sh"), str(_COMPOSE)], check=True)
    return [str(_COMPOSE)]


def _base_images() -> bool:
    """Have both; tells whether they are stand-ins."""
    kafka = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["kafka"]["image"]
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    python = next(line.split()[1] for line in lines if line.startswith("FROM "))
    subprocess.run(["sh", str(STANDIN / "base_images.sh"), python, kafka], check=True)
    form = '{{index .Config.Labels "syncline.standin"}}'
    return any(docker("image", "inspect", "--format", form, image).strip() == "yes" for image in (python, kafka))


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201
