"""JUnit XML: what every report of the project shares of it."""

from __future__ import annotations

import re
from typing import Final
from xml.etree import ElementTree as ET

# XML 1.0, section 2.2: no other control characters, not even escaped.
_NO_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def add_result(case: ET.Element, tag: str, message: str, text: str) -> None:
    """Says of a test case that it ended as ``failure``, ``error`` or ``skipped``, and why."""
    child = ET.SubElement(case, tag, message=_NO_XML.sub("?", message))
    child.text = _NO_XML.sub("?", text)


def encoded(suite: ET.Element) -> bytes:
    """The whole document of one test suite."""
    root = ET.Element("testsuites")
    root.append(suite)
    xml: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return xml + b"\n"
