"""Asks pip-audit for advisories on lock files, and fails if the index does not answer.

    python deploy/audit.py requirements/dev.txt

Exit code 0 only if every package was looked up and none has an advisory. pip-audit itself exits with 0 if the index
knows no package, as a mirror without advisories does.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

TIMEOUT_S = 600


def audit(lock: str) -> tuple[list[dict[str, Any]], str]:
    """Run pip-audit on a lock file; return its packages and its messages."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        command = [sys.executable, "-m", "pip_audit", "--requirement", lock, "--disable-pip", "--require-hashes"]
        command += ["--progress-spinner", "off", "--format", "json", "--output", str(answer)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        found = json.loads(answer.read_text())["dependencies"] if answer.is_file() else []
    return found, done.stderr.strip()


def judge(lock: str, packages: list[dict[str, Any]], said: str) -> list[str]:
    """Return what is wrong, a line each. Pure."""
    if not packages:
        last = said.splitlines()[-1] if said else "no answer"
        return [f"{lock}: not audited, the advisories cannot be reached from here ({last})"]
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    wrong = [
        f"{package['name']} {package['version']}: {vulnerability['id']}, mended in {_mended(vulnerability)}"
        for package in packages
        for vulnerability in package.get("vulns", ())
    ]
    if skipped:
        shown = ", ".join(skipped[:3]) + (", …" if len(skipped) > 3 else "")
        wrong.append(f"{lock}: {len(skipped)} of {len(packages)} packages could not be looked up ({shown})")
    return wrong


def _mended(vulnerability: dict[str, Any]) -> str:
    return ", ".join(vulnerability["fix_versions"]) or "no version yet"


def main(locks: list[str]) -> int:
    """Audit each lock file; return the exit code."""
    wrong: list[str] = []
    for lock in locks:
        packages, said = audit(lock)
        found = judge(lock, packages, said)
        print(f"{lock}: {len(packages)} packages, {len(found)} complaints")  # noqa: T201
        wrong += found
    for line in wrong:
        print(f"audit: {line}", file=sys.stderr)  # noqa: T201
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
