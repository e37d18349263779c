#!/bin/sh
# Tests an integration in any CI, or at your own desk. Needs Python 3.11 or newer.
set -eu

(cd vendor && sha256sum --check --ignore-missing SHA256SUMS)
python3 -m venv .venv-voice
. .venv-voice/bin/activate
pip install --quiet vendor/voice_sandbox-*.whl pytest
mkdir -p reports
voice-sandbox exec --log reports/sandbox.jsonl -- pytest --junit-xml reports/tests.xml
