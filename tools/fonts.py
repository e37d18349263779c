"""Makes the fonts of the portal from the packages of package.json: fewer characters and weights.

    .venv/bin/python tools/fonts.py            writes docs/assets/fonts and their stylesheet
    .venv/bin/python tools/fonts.py --check    fails where one of these files is another one

They are kept in the repository, so that a portal is built without npm. A browser asks for the Latin
part on every page, and for the others where a page has such letters. Their names have a hash, so
that they are kept for good.
"""

from __future__ import annotations

import hashlib
import io
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont
from fontTools.varLib.instancer import instantiateVariableFont

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGES: Final = ROOT / "node_modules" / "@fontsource-variable"
FONTS: Final = ROOT / "docs" / "assets" / "fonts"
SHEET: Final = FONTS.parent / "stylesheets" / "fonts.css"

LATIN: Final = frozenset(
    {
        *range(0x20, 0x7F),
        *(0xA0, 0xA7, 0xA9, 0xAB, 0xAC, 0xB0, 0xB1, 0xB7, 0xBB, 0xD7, 0xE9),
        *(0x2013, 0x2014, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2026, 0x20AC, 0x2122, 0x2212),
    }
)
"""What English prose and code have. Any other character is drawn by a font of the system."""


@dataclass(frozen=True, slots=True)
class Face:
    """One file: a part of a family, with the weights that the stylesheets use."""

    family: str
    part: str
    ranges: str
    """The characters that a browser takes it for."""
    weights: tuple[int, int]
    features: tuple[str, ...]
    characters: frozenset[int] = frozenset()
    """Those that are kept, all of the part where it names none."""

    def name(self, content: bytes) -> str:
        """Such as ``inter-latin.0a1b2c3d.woff2``."""
        return f"{self.family}-{self.part}.{hashlib.sha256(content).hexdigest()[:8]}.woff2"


_PROSE: Final = ("kern", "liga", "calt", "ccmp", "locl", "mark", "mkmk", "tnum")
# Ligatures would show other characters than a reader has to type.
_CODE: Final = ("ccmp", "locl", "mark", "mkmk")
_CYRILLIC: Final = "U+301, U+400-45F, U+490-491, U+4B0-4B1, U+2116"
_KYRGYZ: Final = "U+48A-48F, U+492-4AF, U+4B2-4FF"
FAMILIES: Final = {"inter": "Inter", "jetbrains-mono": "JetBrains Mono"}
FACES: Final = tuple(
    Face(family, part, ranges, (400, 700), features, characters)
    for family, features, kyrgyz in (
        ("inter", _PROSE, _KYRGYZ),
        # It lacks one of the three letters.
        ("jetbrains-mono", _CODE, "U+4AE-4AF, U+4E8-4E9"),
    )
    for part, ranges, characters in (
        ("latin", ", ".join(f"U+{one:X}" for one in sorted(LATIN) if one > 0x7E), LATIN),
        ("cyrillic", _CYRILLIC, frozenset()),
        ("cyrillic-ext", kyrgyz, frozenset(range(0x48A, 0x500))),
    )
)
_RULE: Final = """\
@font-face {{
  font-display: optional;
  font-family: "{family}";
  font-weight: {lightest} {boldest};
  src: url("../fonts/{name}") format("woff2");
  unicode-range: {ranges};
}}
"""
_TITLE: Final = """\
/* Inter for prose and JetBrains Mono for code: written by tools/fonts.py. A font that comes late is
   used from the next page on: swapped in, it would move the text that somebody reads. */
"""


def made(face: Face) -> bytes:
    """The file of a face, the same bytes each time."""
    folder = PACKAGES / face.family
    source = folder / "files" / f"{face.family}-{face.part}-wght-normal.woff2"
    font = TTFont(source, recalcTimestamp=False)
    options = Options(layout_features=list(face.features), hinting=False, notdef_outline=True)
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=face.characters or set(font.getBestCmap()))
    subsetter.subset(font)
    font = instantiateVariableFont(font, {"wght": face.weights})
    font.flavor = "woff2"
    written = io.BytesIO()
    font.save(written)
    return written.getvalue()


def rule(face: Face, name: str) -> str:
    """The rule of the stylesheet for one file."""
    lightest, boldest = face.weights
    ranges = f"U+20-7E, {face.ranges}" if face.part == "latin" else face.ranges
    return _RULE.format(
        family=FAMILIES[face.family], lightest=lightest, boldest=boldest, name=name, ranges=ranges
    )


def main(arguments: list[str]) -> str:
    """Writes or checks the files; returns what is wrong."""
    contents = [(face, made(face)) for face in FACES]
    files = {FONTS / face.name(content): content for face, content in contents}
    for family in FAMILIES:
        files[FONTS / f"{family}.OFL.txt"] = (PACKAGES / family / "LICENSE").read_bytes()
    rules = [rule(face, face.name(content)) for face, content in contents]
    files[SHEET] = "\n".join([_TITLE, *rules]).encode()
    FONTS.mkdir(exist_ok=True)
    kept = {path: path.read_bytes() for path in [*FONTS.iterdir(), *SHEET.parent.glob(SHEET.name)]}
    others = sorted(path for path in {*files, *kept} if files.get(path) != kept.get(path))
    if "--check" in arguments:
        names = ", ".join(path.name for path in others)
        return f"{names}: run tools/fonts.py." if others else ""
    for path in others:
        if path in files:
            path.write_bytes(files[path])
        else:
            path.unlink()
    return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) or 0)
