"""Known vulnerabilities of the pinned dependencies, by pip-audit; or a list of them with their licences.

pip-audit asks PyPI for every pinned version. It lives in an environment of its own, so that it is not one
more dependency: $EDGEML_PIP_AUDIT, or `pip-audit` on PATH. An index that does not serve what it asks for (a
mirror, no network) is a note, not a failure: then nothing was audited, and that is what is said.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PINS = ROOT / "constraints.txt"
LIMIT_S = 120
IGNORED: dict[str, str] = {}
"""Identifier of a vulnerability -> why it does not concern edgeml. Empty as of 2026-11-27."""


def pins(path: Path = PINS) -> dict[str, str]:
    """constraints.txt -> version by name."""
    lines = path.read_text(encoding="utf-8").splitlines()
    found = (re.fullmatch(r"([A-Za-z0-9._-]+)==(\S+)", line.strip()) for line in lines)
    return {match[1]: match[2] for match in found if match}


def audited(program: str, path: Path = PINS, limit_s: float = LIMIT_S) -> list[dict[str, Any]] | str:
    """What pip-audit says of each pin; one sentence where it says nothing."""
    command = [program, "-r", str(path), "--no-deps", "--disable-pip", "--format", "json", "--timeout", "20"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False)
    except subprocess.TimeoutExpired:
        return f"pip-audit was not done within {limit_s:g} s"
    except OSError as error:
        return f"pip-audit cannot be started ({error.strerror})"
    try:
        found = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return f"pip-audit ended with status {done.returncode} ({last[:200]})"
    return list(found)


def verdict(found: list[dict[str, Any]], ignored: dict[str, str]) -> tuple[list[str], list[str]]:
    """What pip-audit said -> (vulnerabilities that count, notes)."""
    bad, notes = [], []
    for one in found:
        for flaw in one.get("vulns") or ():
            names = {str(flaw.get("id")), *map(str, flaw.get("aliases") or ())}
            fixed = ", ".join(map(str, flaw.get("fix_versions") or ())) or "no version yet"
            said = f"{one['name']} {one.get('version')}: {' = '.join(sorted(names))}, mended in {fixed}"
            reason = next((ignored[name] for name in names if name in ignored), None)
            if reason is None:
                bad.append(said)
            else:
                notes.append(f"ignored: {said}, because {reason}")
    skipped = [one["name"] for one in found if one.get("skip_reason")]
    if skipped:
        few = ", ".join(skipped[:3]) + (", ..." if len(skipped) > 3 else "")
        notes.append(
            f"NOT audited: {len(skipped)} of {len(found)}; the index does not serve their data ({few})."
        )
    return bad, notes


def listing() -> list[tuple[str, str, str]]:
    """Name, pinned version and licence of each dependency that is installed here, or "not installed"."""
    rows = []
    for name, version in pins().items():
        try:
            found = metadata.metadata(name)
        except metadata.PackageNotFoundError:
            rows.append((name, version, "not installed"))
            continue
        rows.append((name, version, licence(found)))
    return rows


def licence(found: Any) -> str:
    """Metadata of a package -> its licence: the expression, the classifier, or the first line of the text."""
    classifiers = [one for one in found.get_all("Classifier") or () if one.startswith("License ::")]
    said = found.get("License-Expression") or (classifiers[0].rpartition(" :: ")[2] if classifiers else "")
    said = said or (found.get("License") or "").strip().partition("\n")[0]
    return said[:60] or "not stated"


def main() -> int:
    """Print; 1 where a pin has a known vulnerability that is not ignored."""
    parser = argparse.ArgumentParser(description="Known vulnerabilities of the pinned dependencies.")
    parser.add_argument("--list", action="store_true", help="name, version and licence of each; no network")
    if parser.parse_args().list:
        for row in listing():
            print("  ".join((f"{row[0]:<32}", f"{row[1]:<20}", row[2])))
        return 0
    program = os.environ.get("EDGEML_PIP_AUDIT") or shutil.which("pip-audit")
    if program is None:
        print("note: dependencies NOT audited: no pip-audit; install it in an environment of its own")
        return 0
    found = audited(program)
    if isinstance(found, str):
        print(f"note: dependencies NOT audited: {found}")
        return 0
    bad, notes = verdict(found, IGNORED)
    for line in notes:
        print(f"note: {line}")
    for line in bad:
        print(f"vulnerable: {line}")
    if not bad and not any(line.startswith("NOT") for line in notes):
        print(f"no known vulnerability in {len(found)} pinned packages")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
