#!/usr/bin/env python3
"""Proves that a release is one thing: tag, version, changelog, wheel and pages say the same.

Prints every disagreement with its fix, and exits with 1 where there is one.
"""

import argparse
import hashlib
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ("compose.yaml", "kubernetes.yaml")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout")
    parser.add_argument("--dist", type=Path, default=ROOT / "dist", help="what make dist wrote")
    given = parser.parse_args()
    source = (given.root / "sandbox/voice_sandbox/installation.py").read_text("utf-8")
    [version] = re.findall(r'^__version__ = "(.+)"$', source, re.MULTILINE)
    found = [
        *_changelog(given.root, version),
        *_git(given.root, version),
        *_examples(given.root, version),
        *_built(given.dist, version),
    ]
    for fault in found:
        sys.stdout.write(f"- {fault}\n")
    if found:
        sys.exit(1)
    sys.stdout.write(f"Version {version} can be released.\n")


def _changelog(root: Path, version: str) -> Iterator[str]:
    text = (root / "CHANGELOG.md").read_text("utf-8")
    first, *_ = re.findall(r"^## (.+)$", text, re.MULTILINE)
    if not re.fullmatch(rf"\[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d", first):
        yield (
            f"CHANGELOG.md begins with '{first}'. Its first section must be "
            f"'[{version}] - YEAR-MONTH-DAY': give Unreleased the version and the date."
        )


def _git(root: Path, version: str) -> Iterator[str]:
    tag = f"v{version}"
    tagged, head = _said(root, "rev-list", "-n", "1", tag), _said(root, "rev-parse", "HEAD")
    if not tagged:
        yield f"There is no tag {tag}. Tag the commit: git tag -a {tag} -m {tag}."
    elif tagged != head:
        yield f"The tag {tag} is on {tagged[:7]}, and this is {head[:7]}. Check out the tag."
    if changed := _said(root, "status", "--porcelain"):
        yield f"Files are not committed: {', '.join(changed.split()[1::2])}. Commit them."


def _said(root: Path, *words: str) -> str:
    """What git says, and nothing where it fails."""
    ran = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=False)
    return ran.stdout.strip() if ran.returncode == 0 else ""


def _examples(root: Path, version: str) -> Iterator[str]:
    for name in IMAGES:
        text = (root / "docs/examples/container" / name).read_text("utf-8")
        others = set(re.findall(r"voice-sandbox:(\d[\w.]*)", text)) - {version}
        if others:
            yield f"{name} names the image of {', '.join(others)}. Write voice-sandbox:{version}."


def _built(dist: Path, version: str) -> Iterator[str]:
    wheel = dist / f"voice_sandbox-{version}-py3-none-any.whl"
    names = {wheel.name, f"voice_sandbox-{version}.tar.gz", "requirements.txt", "SHA256SUMS"}
    there = {path.name for path in dist.iterdir()} if dist.is_dir() else set()
    if there != names:
        wrong = ", ".join(sorted(there ^ names))
        yield f"{dist} is not what make dist writes for {version}: {wrong}. Run make dist."
        return
    for line in (dist / "SHA256SUMS").read_text("utf-8").splitlines():
        digest, _, name = line.partition("  ")
        if hashlib.sha256((dist / name).read_bytes()).hexdigest() != digest:
            yield f"{name} has another hash than SHA256SUMS says. Run make dist."
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read(f"voice_sandbox-{version}.dist-info/METADATA").decode()
        page = archive.read("voice_sandbox/portal/install/index.md").decode()
    if f"\nVersion: {version}\n" not in metadata:
        yield f"The metadata of {wheel.name} has another version. Run make dist."
    others = set(re.findall(r"voice_sandbox-(\d[\w.]*?)-py3", page)) - {version}
    if others or wheel.name not in page:
        yield f"The page Install in the wheel does not name {wheel.name}. Run make dist."


if __name__ == "__main__":
    main()
