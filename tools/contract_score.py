"""Holds each contract to the score that `redocly score` gave it: how well programs can use it.

`make lint` runs it with pairs such as `openapi.yaml=93`. A lower score names its worst parts.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any


def main(pairs: list[str]) -> None:
    for pair in pairs:
        path, _, least = pair.partition("=")
        ran = subprocess.run(
            ["redocly", "score", path, "--format=json"],
            capture_output=True,
            text=True,
            check=False,
        )
        if ran.returncode != 0:
            raise SystemExit(f"redocly score {path} failed: {ran.stderr}")
        report: dict[str, Any] = json.loads(ran.stdout)
        if report["agentReadiness"] < float(least):
            parts = sorted(report["subscores"].items(), key=lambda part: part[1])[:3]
            worst = ", ".join(f"{name} {share:.0%}" for name, share in parts)
            raise SystemExit(
                f"{path} scores {report['agentReadiness']}, but must score {least} or more. "
                f"Its worst parts are {worst}. See: redocly score {path} --operation-details"
            )


if __name__ == "__main__":
    main(sys.argv[1:])
