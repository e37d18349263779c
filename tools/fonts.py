"""Makes the fonts of the portal from the packages of package.json: fewer characters and weights.

    .venv/bin/python tools/fonts.py            writes docs/assets/fonts
    .venv/bin/python tools/fonts.py --check    fails where a file there is another one

They are kept in the repository, so that a portal is built without npm. A browser asks for the Latin
part on every page, and for the others where a page has such letters.
"""

from __future__ import annotations

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
    weights: tuple[int, int]
    features: tuple[str, ...]
    characters: frozenset[int] = frozenset()
    """Those that are kept, all of the part where it names none."""

    @property
    def name(self) -> str:
        return f"{self.family}-{self.part}.woff2"


_PROSE: Final = ("kern", "liga", "calt", "ccmp", "locl", "mark", "mkmk", "tnum")
# Ligatures would show other characters than a reader has to type.
_CODE: Final = ("ccmp", "locl", "mark", "mkmk")
FACES: Final = (
    Face("inter", "latin", (400, 700), _PROSE, LATIN),
    Face("inter", "cyrillic", (400, 700), _PROSE),
    Face("inter", "cyrillic-ext", (400, 700), _PROSE, frozenset(range(0x48A, 0x500))),
    Face("jetbrains-mono", "latin", (400, 700), _CODE, LATIN),
    Face("jetbrains-mono", "cyrillic", (400, 700), _CODE),
    Face("jetbrains-mono", "cyrillic-ext", (400, 700), _CODE),
)


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


def main(arguments: list[str]) -> str:
    """Writes or checks the files; returns what is wrong."""
    files = {face.name: made(face) for face in FACES}
    for family in {face.family for face in FACES}:
        files[f"{family}.OFL.txt"] = (PACKAGES / family / "LICENSE").read_bytes()
    if "--check" not in arguments:
        FONTS.mkdir(exist_ok=True)
        for name, content in files.items():
            (FONTS / name).write_bytes(content)
        return ""
    kept = {path.name: path.read_bytes() for path in FONTS.iterdir()}
    others = sorted(name for name in {*files, *kept} if files.get(name) != kept.get(name))
    return f"{', '.join(others)}: run tools/fonts.py." if others else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) or 0)
