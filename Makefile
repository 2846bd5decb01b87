# Every command a newcomer needs. Only python3 and make have to be there; `make setup` gets the rest.
PYTHON ?= python3
VENV := $(CURDIR)/.venv
PY := $(VENV)/bin/python
# What running needs, and what checks and tests need as well.
RUN := $(VENV)/run.stamp
DEV := $(VENV)/dev.stamp
# Other trackers to measure against: beside .venv, since they bring an OpenCV with a window system.
TRACKERS := $(CURDIR)/.venv-trackers
TRACKERS_PINS := tests/bench/trackers.txt
# A process a core, whole files each: what a file prepares once is prepared once. Which come first says tests/conftest.py.
TESTS := $(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder
CYCLONEDX := 7.5.0
AUDIT := $(PY) -m vedette.audit constraints.txt --stamp $(VENV)/audit.stamp

# As if .venv were activated: Flink's JVM looks for its Python on PATH.
export VIRTUAL_ENV := $(VENV)
export PATH := $(VENV)/bin:$(PATH)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup demo test check format unit train-test manifests together jobs integration browser bench images sbom audit lock clean

help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F '\t' '{ printf "  make %-12s %s\n", $$1, $$2 }'

setup: $(RUN) ## Get everything Vedette runs on: environment, packages, Java, jars

$(RUN) $(DEV): pyproject.toml constraints.txt deploy/bootstrap.py $(wildcard vedette/locks/*.lock.toml)

$(RUN):
	@$(PYTHON) deploy/bootstrap.py
	@touch $(RUN)

$(DEV):
	@$(PYTHON) deploy/bootstrap.py dev
	@touch $(RUN) $(DEV)

demo: $(RUN) ## Run the whole system on the demo clip, alerts in the terminal; Ctrl-C ends it
	@$(PY) -m vedette demo

test: check unit manifests together browser ## Check and test everything

check: $(DEV) ## Format, lint, types, import rules, known faults of packages where those can be looked up
	$(PY) -m ruff format --check
	$(PY) -m ruff check
	$(PY) -m mypy
	$(VENV)/bin/lint-imports
	@$(AUDIT)

format: $(DEV) ## Format the code and mend what the linter can
	$(PY) -m ruff format
	$(PY) -m ruff check --fix

unit: $(DEV) ## Unit tests, some minutes
	$(TESTS) tests/unit

train-test: $(DEV) ## Tests of training; gets the extra `training` first (torch: 5.5 GB)
	$(PY) -m uv pip install --python $(PY) --constraint constraints.txt --editable '.[training]'
	$(TESTS) tests/unit/training

manifests: $(DEV) ## The Kubernetes manifests against their schemas and the code
	$(TESTS) tests/manifests

together: $(DEV) ## Jobs and integration in one go
	$(TESTS) tests/jobs tests/integration

jobs: $(DEV) ## The jobs in a real Flink mini cluster
	$(TESTS) tests/jobs

integration: $(DEV) ## The parts together, with a real broker
	$(TESTS) tests/integration

browser: $(DEV) ## The console's pages in a real Chromium; pictures of them in build/screenshots
	$(TESTS) tests/browser

bench: $(DEV) $(TRACKERS)/made.stamp ## Measure what the README promises
	$(PY) -m tests.bench --shared ../shared --trackers-python $(TRACKERS)/bin/python

images: $(DEV) ## The images' steps in a clean Debian, and their programs started (as root, with debootstrap)
	$(PY) -m tests.images

$(TRACKERS)/made.stamp: $(TRACKERS_PINS) | $(DEV)
	$(PY) -m venv --clear $(TRACKERS)
	$(TRACKERS)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $(TRACKERS_PINS)
	@touch $@

sbom: $(DEV) ## What this environment is made of (CycloneDX) and its licences, into build/
	@mkdir -p build
	$(PY) -m uv tool run --from cyclonedx-bom==$(CYCLONEDX) cyclonedx-py environment --pyproject pyproject.toml \
		--output-reproducible --of JSON --output-file build/sbom.cdx.json $(PY)
	$(PY) -m vedette.sbom build/sbom.cdx.json --jars broker flink > build/licences.txt

audit: $(DEV) ## Known faults of the pinned packages; fails where osv.dev can't be reached
	@$(AUDIT) --needed

lock: $(DEV) ## Resolve the Java libraries anew into vedette/locks
	$(PY) -m vedette.jars lock

clean: ## Remove the environments, caches and what was built (not the downloads, not the recorded state)
	rm -rf $(VENV) $(TRACKERS) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
