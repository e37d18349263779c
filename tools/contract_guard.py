"""Compares openapi.yaml with the versions that were released, and stops what breaks clients.

`make lint` runs it. It fails where a change that breaks clients comes without a new major version
or an addition without a new minor one, where a released copy was edited, and where the pages of
the changelog are older than the contract. `make changes` writes those pages.

`redocly diff` finds the changes and says how far each reaches. `_OWN_RULES` adds what it cannot
know: responses of this contract are closed, and the extensions of this contract are rules too.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).resolve().parent.parent
SUMS: Final = "SHA256SUMS"
IMPACTS: Final = ("none", "patch", "minor", "major")
Version = tuple[int, int, int]


class GuardError(Exception):
    """What stops the build: where it is, what is wrong, and the fix."""


@dataclass(frozen=True)
class Folder:
    """Where everything lies in a checkout."""

    root: Path

    @property
    def contract(self) -> Path:
        return self.root / "openapi.yaml"

    @property
    def released(self) -> Path:
        return self.root / "contract" / "released"

    @property
    def notes(self) -> Path:
        return self.root / "contract" / "changes.yaml"

    @property
    def page(self) -> Path:
        return self.root / "docs" / "examples" / "contract-changes.txt"

    @property
    def feed(self) -> Path:
        return self.root / "docs" / "contract-changes.xml"


@dataclass
class Change:
    """One kind of change, and everywhere it was found."""

    impact: str
    what: str
    places: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Release:
    """One version with what it changed since the one before."""

    version: str
    date: str
    about: str
    safe: Sequence[Mapping[str, str]]
    """What would break clients, where, and why it breaks none."""
    changes: Sequence[Change]

    def why_safe(self, change: Change) -> str:
        """Why a change breaks no client, empty where nobody said so of all its places."""
        for reason in self.safe:
            if reason["what"] == change.what and all(
                re.fullmatch(reason["where"], place) for place in change.places
            ):
                return " ".join(reason["why"].split())
        return ""


# The command


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--write", action="store_true", help="write the pages of the changelog")
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout; this one by default")
    arguments = parser.parse_args()
    try:
        guard(Folder(arguments.root), write=arguments.write)
    except GuardError as error:
        raise SystemExit(str(error)) from None


def guard(folder: Folder, *, write: bool = False) -> None:
    """Raises: `GuardError` with every finding."""
    releases = list(read_releases(folder))
    expected = {folder.page: as_page(releases), folder.feed: as_feed(releases)}
    for path, text in expected.items():
        if write:
            path.write_text(text, "utf-8")
        elif not path.is_file() or path.read_text("utf-8") != text:
            raise GuardError(
                f"{path.relative_to(folder.root)} is not what the comparison with the released "
                "contracts says now. Run make changes."
            )


def read_releases(folder: Folder) -> Iterator[Release]:
    """Every version, the newest first. Raises: `GuardError` where one breaks a promise."""
    released = read_released(folder.released)
    current = read_yaml(folder.contract)
    version = current["info"]["version"]
    notes = {note["version"]: note for note in read_yaml(folder.notes)}
    documents = {name: read_yaml(path) for name, path in released.items()}
    newest = max(documents, key=as_version)
    if version in documents:
        if compare(documents[version], current):
            raise GuardError(
                f"openapi.yaml differs from contract/released/{version}.yaml, but version "
                f"{version} was released as it stands there. Raise info.version in openapi.yaml."
            )
    elif as_version(version) < as_version(newest):
        raise GuardError(
            f"openapi.yaml has the version {version}, but {newest} was released already. "
            "Raise info.version."
        )
    documents[version] = current
    order = sorted(documents, key=as_version)
    for before, after in reversed(list(zip([None, *order[:-1]], order, strict=True))):
        if after not in notes:
            raise GuardError(
                f"contract/changes.yaml says nothing about version {after}. Add an entry with "
                "version, date and about."
            )
        note = notes[after]
        changes = [] if before is None else compare(documents[before], documents[after])
        release = Release(after, str(note["date"]), note["about"], note.get("safe", []), changes)
        if before is not None:
            check_version(release, before)
        yield release


def read_released(folder: Path) -> dict[str, Path]:
    """Version → its copy. Raises: `GuardError` for a copy that is not the one that was released."""
    lines = [line.split() for line in (folder / SUMS).read_text("utf-8").splitlines()]
    sums = {name: digest for digest, name in lines}
    copies = {path.name: path for path in folder.glob("*.yaml")}
    for name in sorted(set(sums) | set(copies)):
        where = f"contract/released/{name}"
        if name not in copies:
            raise GuardError(f"{where} is gone, but it was released. Restore it from Git.")
        if name not in sums:
            raise GuardError(
                f"{where} has no line in contract/released/{SUMS}. "
                f"Add one: cd contract/released && sha256sum *.yaml > {SUMS}"
            )
        if hashlib.sha256(copies[name].read_bytes()).hexdigest() != sums[name]:
            raise GuardError(
                f"{where} was edited, but clients were generated from it as it was released. "
                "Restore it from Git, and change openapi.yaml instead."
            )
    return {path.stem: path for path in copies.values()}


def check_version(release: Release, before: str) -> None:
    """Raises: `GuardError` where the version promises less change than there is."""
    raised = raised_part(before, release.version)
    breaking = {change.what for change in release.changes if change.impact == "major"}
    for reason in release.safe:
        if reason["what"] not in breaking:
            raise GuardError(
                f"contract/changes.yaml, version {release.version}: there is no breaking change "
                f"{reason['what']!r} any more. Remove it from safe."
            )
    findings = []
    for change in release.changes:
        impact = "minor" if release.why_safe(change) else change.impact
        if IMPACTS.index(impact) > IMPACTS.index(raised):
            findings.append(_finding(change, impact, before, release.version))
    if findings:
        raise GuardError("\n\n".join(findings))


def _finding(change: Change, impact: str, before: str, version: str) -> str:
    places = "\n".join(f"  at {place}" for place in change.places)
    major, minor, patch = as_version(before)
    if impact == "major":
        said = "breaks clients that were generated from"
        fix = (
            f"Take it back, or raise info.version to {major + 1}.0.0. If no client can notice it, "
            f"add what, where and why under safe in contract/changes.yaml."
        )
    elif impact == "minor":
        said = "adds something to"
        fix = f"Raise info.version to {major}.{minor + 1}.0."
    else:
        said = "changes words of"
        fix = f"Raise info.version to {major}.{minor}.{patch + 1}."
    return (
        f"openapi.yaml {said} version {before} ({impact}), but its version is {version}:\n"
        f"  {change.what}\n{places}\n  Fix: {fix}"
    )


def raised_part(before: str, after: str) -> str:
    """Which part of a version was raised."""
    pairs = zip(as_version(before), as_version(after), strict=True)
    for part, (old, new) in zip(("major", "minor", "patch"), pairs, strict=True):
        if old != new:
            return part
    return "none"


def as_version(text: str) -> Version:
    found = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)", text)
    if found is None:
        raise GuardError(f"{text} is no version. Write three numbers, such as 1.2.0.")
    major, minor, patch = map(int, found.groups())
    return major, minor, patch


# Comparing

# Where a deployment is found, and what examples show, is no rule: agents and the live base URL
# change without a new version.
_NO_RULE: Final = re.compile(r"^#/servers/|^#/info$|/examples/[^/]+/|/example$|/examples$")
# What redocly diff calls an addition, or no change at all. Kind, path, property, impact, words.
_OWN_RULES: Final = (
    ("added", r"/responses/\d+$", None, "major", "The status {name} is new."),
    ("added", r"/responses/.*/properties/[^/]+$", None, "major", "The field `{name}` is new."),
    ("added", r"/problem\+json/examples/[^/]+$", None, "minor", "The problem `{name}` is new."),
    ("added", r"/examples/[^/]+$", None, "patch", "An example is new."),
    (
        "modified",
        r"/requestBody$",
        "x-max-body-bytes",
        "major",
        "A body may have {value} bytes at most.",
    ),
    ("modified", r"/x-normalized-status$", None, "major", "`{property}` means `{value}`."),
    ("modified", r"/requestBody/.*$", "enum", "minor", "A request may hold more values."),
)


def compare(base: Any, revision: Any) -> list[Change]:
    """What changed between two contracts, one entry for each kind of change, the worst first."""
    found: dict[tuple[str, str], Change] = {}
    bases, revisions = flat(base), flat(revision)
    for raw in _diff(bases, revisions):
        if _NO_RULE.search(raw["path"]) or raw.get("property") in ("example", "examples"):
            continue
        impact, what = judged(raw)
        change = found.setdefault((impact, what), Change(impact, what))
        place = place_of(raw["path"], revisions if "revision" in raw else bases)
        if place not in change.places:
            change.places.append(place)
    return sorted(found.values(), key=lambda change: -IMPACTS.index(change.impact))


def judged(raw: Any) -> tuple[str, str]:
    """How far a change reaches, and what it is."""
    if raw["impact"] == "major":
        return "major", " ".join(verdict["message"] for verdict in raw["verdicts"])
    path, name = raw["path"].replace("~1", "/"), raw["path"].rpartition("/")[2]
    before, value = (raw.get(side, {}).get("value") for side in ("base", "revision"))
    found = "set" if before is None and raw["kind"] == "modified" else raw["kind"]
    for kind, pattern, of, impact, words in _OWN_RULES:
        if found == kind and re.search(pattern, path) and of in (None, raw.get("property")):
            return impact, words.format(name=name, value=value, property=raw.get("property"))
    if raw["impact"] == "minor":
        return "minor", f"`{name.replace('~1', '/')}` was {raw['kind']}."
    return "patch", f"`{raw.get('property', name)}` was {raw['kind']}."


def _diff(base: Any, revision: Any) -> list[Any]:
    program = shutil.which("redocly")
    if program is None:
        raise GuardError("redocly is not installed. Run make lint, which installs it.")
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / "base.json", Path(folder) / "revision.json"]
        for path, document in zip(files, (base, revision), strict=True):
            path.write_text(json.dumps(document), "utf-8")
        options = [
            "--format=json",
            "--fail-on=none",
            f"--config={ROOT / 'contract' / 'redocly.yaml'}",
        ]
        ran = subprocess.run(
            [program, "diff", *map(str, files), *options],
            capture_output=True,
            text=True,
            check=False,
        )
    try:
        changes: list[Any] = json.loads(ran.stdout)["changes"]
    except (ValueError, KeyError):
        raise GuardError(f"redocly diff failed: {ran.stdout}{ran.stderr}") from None
    return changes


def flat(document: Any) -> Any:
    """The contract without references and without `allOf` that only adds rules to an object.

    So a shared schema is compared wherever it is used, as a request or as a response.
    """

    def look(node: Any) -> Any:
        if isinstance(node, list):
            return [look(item) for item in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return look(_target(document, node["$ref"]))
        # x-allOf is an allOf that generators do not see.
        return _merged(
            {"allOf" if key == "x-allOf" else key: look(value) for key, value in node.items()}
        )

    whole = {key: look(value) for key, value in document.items() if key != "components"}
    schemes = document["components"]["securitySchemes"]
    return whole | {"components": {"securitySchemes": schemes}}


def _target(document: Any, reference: str) -> Any:
    for token in reference.removeprefix("#/").split("/"):
        document = document[token]
    return document


def _merged(schema: dict[str, Any]) -> dict[str, Any]:
    parts = schema.get("allOf", [])
    if not parts or any("if" in part for part in parts):
        return schema
    merged = {key: value for key, value in schema.items() if key != "allOf"}
    for part in parts:
        properties = merged.setdefault("properties", {})
        for name, rules in part.get("properties", {}).items():
            properties[name] = {**properties.get(name, {}), **rules}
        merged.update({key: value for key, value in part.items() if key != "properties"})
    return merged


def place_of(path: str, document: Any) -> str:
    """Where a change is, in words: `getCall, response 200, transcript`."""
    tokens = [token.replace("~1", "/").replace("~0", "~") for token in path[2:].split("/")]
    item = document.get("paths", {}).get(tokens[1], {}) if tokens[0] == "paths" else {}
    if len(tokens) < 3 or tokens[2] not in item:
        return " ".join(tokens[1:] if item else tokens)
    operation, rest = item[tokens[2]], tokens[3:]
    words = [operation["operationId"]]
    match rest:
        case ["parameters", index, *_]:
            words.append(f"parameter {operation['parameters'][int(index)]['name']}")
        case ["requestBody", *_]:
            words.append("request")
        case ["responses", status, *_]:
            words.append(f"response {status}")
    names = [name for keyword, name in pairwise(rest) if keyword == "properties"]
    return ", ".join([*words, *([".".join(names)] if names else [])])


# Pages


def as_page(releases: Sequence[Release]) -> str:
    """The changelog as Markdown, for docs/contract-changes.md."""
    return "\n".join(line for release in releases for line in _section(release))


def _section(release: Release) -> Iterator[str]:
    anchor = release.version.replace(".", "-")
    yield from (f"## {release.version} {{ #v{anchor} }}", "", f"Released on {release.date}.")
    yield from (release.about.strip(), "")
    safe = [change for change in release.changes if release.why_safe(change)]
    others = [c for c in release.changes if c not in safe and c.impact in ("major", "minor")]
    for change in others:
        label = "Breaks clients" if change.impact == "major" else "Added"
        yield f"- {label}: {change.what} {_where(change)}"
    for change in safe:
        yield f"- {change.what} {_where(change)}"
        yield f"  Existing clients keep working: {release.why_safe(change)}"
    if safe or others:
        yield ""


def _where(change: Change) -> str:
    shown, left = change.places[:2], change.places[2:]
    more = f", and {len(left)} more places" if left else ""
    return f"At {'; '.join(shown)}{more}."


def as_feed(releases: Sequence[Release]) -> str:
    """The changelog as an Atom feed (RFC 4287); its links are relative to the feed."""
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        '<feed xmlns="http://www.w3.org/2005/Atom">',
        "  <title>Changelog of the Voice API contract</title>",
        "  <id>urn:voice-api:contract</id>",
        '  <link rel="self" type="application/atom+xml" href="contract-changes.xml"/>',
        '  <link rel="alternate" type="text/html" href="contract-changes/"/>',
        f"  <updated>{releases[0].date}T00:00:00Z</updated>",
        "  <author><name>Voice API</name></author>",
    ]
    for release in releases:
        anchor = release.version.replace(".", "-")
        text = "\n".join([*_section(release)][2:]).strip()
        lines += [
            "  <entry>",
            f"    <title>{release.version}</title>",
            f"    <id>urn:voice-api:contract:{release.version}</id>",
            f'    <link rel="alternate" type="text/html" href="contract-changes/#v{anchor}"/>',
            f"    <updated>{release.date}T00:00:00Z</updated>",
            f'    <content type="text">{escape(text)}</content>',
            "  </entry>",
        ]
    return "\n".join([*lines, "</feed>", ""])


def read_yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


if __name__ == "__main__":
    main()
