"""The Dockerfile against the repository: what it copies is there, and it does not run as root."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def steps() -> list[list[str]]:
    """The Dockerfile's instructions as words; lines that are continued are one."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    return [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]


def test_what_is_copied_exists_and_is_not_ignored(steps: list[list[str]]) -> None:
    """A file that .dockerignore leaves out, or that was renamed, would fail only when somebody builds."""
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    sources = [word for step in steps if step[0] == "COPY" and "--from" not in step[1] for word in step[1:-1]]
    assert sources
    for source in sources:
        if not source.endswith("*"):  # a pattern may match nothing
            assert (ROOT / source).exists(), source
        assert {source.rstrip("*"), source.split("/")[0]} & allowed, source


def test_all_that_the_service_is_made_of_is_copied(steps: list[list[str]]) -> None:
    """The four packages, and what the demo's producer reads."""
    copied = {step[1] for step in steps if step[0] == "COPY"}
    assert {"syncline", "streams", "processors", "models", "examples"} <= copied


def test_it_runs_as_the_user_that_compose_names(steps: list[list[str]]) -> None:
    """Nothing after the last USER makes it root again."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    users = [step[1] for step in steps if step[0] == "USER"]
    assert users == [services["worker"]["user"]]


def test_bases_and_tools_are_pinned(steps: list[list[str]]) -> None:
    """Both stages have the same Python, since the environment of one runs in the other."""
    bases = {step[1] for step in steps if step[0] == "FROM"}
    assert len(bases) == 1
    assert all(":" in base and not base.endswith(":latest") for base in bases)
    assert any("uv==" in word for step in steps for word in step)


def test_dependencies_come_by_the_lock(steps: list[list[str]]) -> None:
    """The image gets what everybody gets: requirements/service.txt by deploy/setup.sh, extras by deploy/extras.sh."""
    runs = [" ".join(step) for step in steps if step[0] == "RUN"]
    assert any("deploy/setup.sh /opt/syncline requirements/service.txt" in run for run in runs)
    assert any('deploy/extras.sh /opt/syncline "$EXTRAS"' in run for run in runs)
    assert ["ARG", "EXTRAS="] in steps
    assert all("pip install" not in run or "uv==" in run for run in runs)
