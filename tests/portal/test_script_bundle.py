"""Modules that become one script: the same program, asked for once."""

import subprocess
from pathlib import Path

import pytest

from node_tools import NodeTools
from voice_portal.script_bundle import FOLDER, BundleError, bundles

MODULES = {
    "page.js": """import { twice } from "./deep/math.js";
import * as session from "./deep/session.js";
export async function later() {
  const { told } = await import("./extra/told.js");
  return told();
}
export const sum = twice(session.start) + session.start;
session.count();
""",
    "deep/math.js": """import { start } from "./session.js";
export function twice(n) {
  return 2 * n;
}
export class Place {
  static at = start;
}
""",
    "deep/session.js": """let counted = 0;
export const start = 4;
export const site = new URL("../../../", import.meta.url).href;
export function count() {
  counted += 1;
  return counted;
}
""",
    "extra/told.js": """import { count, site as place } from "../deep/session.js";
import { shown } from "./shown.js";
export function told() {
  return shown([count(), place.split("/").at(-2)]);
}
""",
    "extra/shown.js": """export const shown = (value) => JSON.stringify(value);
""",
}


def write(docs: Path, modules: dict[str, str]) -> list[str]:
    """Writes modules into the folder of scripts; returns the paths of all."""
    for name, text in modules.items():
        path = docs / FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return [f"{FOLDER}/{name}" for name in modules]


def test_bundles_are_the_program_of_their_modules(tmp_path: Path, node_tools: NodeTools) -> None:
    """What is shared is one thing in both scripts, and the place of the site stays the same."""
    docs, site = tmp_path / "docs", tmp_path / "site"
    [page, *_] = write(docs, MODULES)
    portal, extra = bundles(docs, [page])
    assert [*portal.modules] == [
        f"{FOLDER}/{name}" for name in ("deep/session.js", "deep/math.js", "page.js")
    ]
    assert [*extra.modules] == [f"{FOLDER}/{name}" for name in ("extra/shown.js", "extra/told.js")]
    later = dict.fromkeys(extra.modules, extra.path)
    for bundle in (portal, extra):
        place = site / bundle.path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(bundle.text(later), "utf-8")
    for folder, module in ((docs, page), (site, portal.path)):
        (folder / "package.json").write_text('{"type": "module"}')
        program = (
            f"const all = await import({(folder / module).as_uri()!r});"
            f"const page = all.modules?.[{page!r}] ?? all;"
            "console.log(page.sum, await page.later());"
        )
        ran = subprocess.run(
            [node_tools.node, "--input-type=module", "-e", program],
            capture_output=True,
            text=True,
            check=True,
        )
        assert ran.stdout == f'12 [2,"{folder.name}"]\n'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('import "./other.js";', "cannot be bundled"),
        ('import other from "./other.js";', "cannot be bundled"),
        ('import {\n  other,\n} from "./other.js"', "cannot be bundled"),
        ("export default 1;", "cannot be bundled"),
        ("export let one = 1;", "cannot be bundled"),
        ('export { one } from "./other.js";', "cannot be bundled"),
        ('import { one } from "./first.js";', "imports itself"),
    ],
)
def test_module_that_cannot_be_bundled_stops_the_build(
    tmp_path: Path, text: str, reason: str
) -> None:
    """A form that the bundle does not know is an error that shows the line, not a broken page."""
    [first, _] = write(tmp_path, {"first.js": f"{text}\n", "other.js": "export const one = 1;\n"})
    with pytest.raises(BundleError, match=rf"first\.js.*{reason}"):
        bundles(tmp_path, [first])


def test_module_that_is_missing_stops_the_build(tmp_path: Path) -> None:
    """A module that nobody wrote is named."""
    [first] = write(tmp_path, {"first.js": 'import { one } from "./lost.js";\n'})
    with pytest.raises(FileNotFoundError, match=r"lost\.js"):
        bundles(tmp_path, [first])
