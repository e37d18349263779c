"""Which pages there are, and where each lies in the built site."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from bs4 import Tag

from voice_portal.reference import SCHEMAS, page_of
from voice_portal.sources import load_sources

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
SOURCES = ("openapi.yaml", "arazzo.yaml", "mkdocs.yml", "docs", "portal", "sandbox")
"""What the site is made from, in the project's folder."""
PAGES = sorted(page.stem for page in DOCS.glob("*.md"))
"""The pages of docs/."""
OPERATIONS = {name: page_of(name).removesuffix(".md") for name in load_sources().operations}
"""The page of each operation of both contracts: such as `reference/get-call` for `getCall`."""
GENERATED = [*OPERATIONS.values(), SCHEMAS.removesuffix(".md")]
"""The pages that the build adds: no file of docs/ has them."""
ALL_PAGES = [*PAGES, *GENERATED]


def built(name: str) -> str:
    """The file of a page inside the site: `calls` lies in `calls/index.html`."""
    return "index.html" if name == "index" else f"{name}/index.html"


def address(name: str) -> str:
    """The path of a page on the server: `/calls/`."""
    return "/" if name == "index" else f"/{name}/"


def blocks(article: Tag, *languages: str) -> Iterator[str]:
    """The code blocks of a page outside cards."""
    for block in article.select("div.highlight"):
        classes = block.get_attribute_list("class")
        is_of = any(f"language-{language}" in classes for language in languages)
        code = block.find("code")
        if is_of and code is not None and block.find_parent("try-api") is None:
            yield code.get_text()


def python_path(root: Path) -> dict[str, str]:
    """The environment in which the code of the copy in `root` is imported."""
    folders = [str(root / "sandbox"), str(root / "portal"), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}


def copy_sources(root: Path, folder: Path) -> None:
    """Everything that the portal is built from, to be changed in the folder."""
    for part in SOURCES:
        copy = shutil.copytree if (root / part).is_dir() else shutil.copyfile
        copy(root / part, folder / part)


def build_in(folder: Path) -> subprocess.CompletedProcess[str]:
    """Builds the portal from the folder, with the code that lies there."""
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"],
        cwd=folder,
        env=python_path(folder),
        capture_output=True,
        text=True,
    )
