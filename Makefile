# Goldfold: every command a newcomer needs. Only Python 3.11+ and make must be there.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3)
TORCH := $(shell grep -i '^torch==' .ci/pins.txt)
STUDIO := $(shell grep -i '^label-studio==' .ci/pins-studio.txt)
READY := .venv/.ready
STUDIO_READY := .venv-studio/.ready
MOTO_READY := .venv-moto/.ready
PEERS_READY := .venv-peers/.ready
ARGS ?=
JOBS ?= 2

.PHONY: help setup demo run test lint format bench pins clean

help:  ## Say what each command does
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) $(STUDIO_READY) $(MOTO_READY)  ## Make the virtualenvs and install the pinned packages

demo: $(READY) $(STUDIO_READY)  ## Run the whole loop twice on real content and stay up (ONCE=1: end after the report)
	@.venv/bin/goldfold demo $(if $(ONCE),--once) $(ARGS)

run: $(READY)  ## Start the service alone (settings: goldfold.yaml, GOLDFOLD_*, ARGS="--port 8080")
	@.venv/bin/goldfold serve $(ARGS)

test: $(READY) $(STUDIO_READY) $(MOTO_READY)  ## Run the whole test suite, a real Label Studio included (ARGS="-k name", JOBS=0: one process)
	@HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 .venv/bin/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

lint: $(READY)  ## Check style, types, imports between rooms and the Dockerfile
	@echo "ruff check" && .venv/bin/ruff check --quiet .
	@echo "ruff format" && .venv/bin/ruff format --check --quiet .
	@echo "mypy" && .venv/bin/mypy
	@echo "import-linter" && .venv/bin/lint-imports --no-cache
	@echo "hadolint" && .venv/bin/hadolint Dockerfile

format: $(READY)  ## Put the code into the house's format
	@.venv/bin/ruff check --quiet --fix . && .venv/bin/ruff format --quiet .

bench: $(READY) $(PEERS_READY)  ## Measure beside named peers; rows go to build/bench.json (ONLY=name: one of them)
	@HF_HUB_OFFLINE=1 .venv/bin/python -m benchmarks.run $(ONLY)

pins: $(READY) $(STUDIO_READY) $(MOTO_READY) $(PEERS_READY)  ## Write the versions that are installed now to .ci/
	@.venv/bin/python -m pip list --format=freeze --exclude-editable | sed 's/+[^ ]*$$//' | sort -f > .ci/pins.txt
	@.venv-studio/bin/python -m pip list --format=freeze --exclude pip | sed 's/+[^ ]*$$//' | sort -f > .ci/pins-studio.txt
	@.venv-moto/bin/python -m pip list --format=freeze --exclude pip --exclude setuptools | sed 's/+[^ ]*$$//' | sort -f > .ci/pins-moto.txt
	@.venv-peers/bin/python -m pip list --format=freeze --exclude pip --exclude setuptools | sed 's/+[^ ]*$$//' | sort -f > .ci/pins-peers.txt
	@touch $(READY) $(STUDIO_READY) $(MOTO_READY) $(PEERS_READY)

clean:  ## Remove the virtualenvs and everything built (data/ stays)
	@rm -rf .venv .venv-studio .venv-moto .venv-peers build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

# The stamps are newer than what they were installed from, so a second call does nothing.
$(READY): pyproject.toml .ci/pins.txt
	@$(call make_venv,.venv)
	@echo "installing $(TORCH)"
	@.ci/pip-install .venv -c .ci/pins.txt $(TORCH)
	@echo "installing Goldfold and its packages into .venv (some minutes the first time)"
	@.ci/pip-install .venv -c .ci/pins.txt -e '.[dev,cluster]'
	@touch $@

$(STUDIO_READY): .ci/pins-studio.txt
	@$(call make_venv,.venv-studio)
	@echo "installing $(STUDIO) into .venv-studio (some minutes the first time)"
	@.ci/pip-install .venv-studio -c .ci/pins-studio.txt $(STUDIO)
	@touch $@

# The tests' object store; botocore and Goldfold ask for different versions of python-dateutil.
$(MOTO_READY): .ci/pins-moto.txt
	@$(call make_venv,.venv-moto)
	@echo "installing $$(grep -i '^moto==' .ci/pins-moto.txt) into .venv-moto"
	@.ci/pip-install .venv-moto -c .ci/pins-moto.txt 'moto[s3]' flask flask-cors
	@touch $@

# What benchmarks/learning.py compares with. Both run without torch, and must not meet our scikit-learn.
$(PEERS_READY): .ci/pins-peers.txt
	@$(call make_venv,.venv-peers)
	@echo "installing $$(grep -i -E '^(small-text|scikit-activeml)==' .ci/pins-peers.txt | paste -sd' ') into .venv-peers"
	@.ci/pip-install .venv-peers -c .ci/pins-peers.txt small-text scikit-activeml
	@touch $@

# The pip that comes with Python may be too old to report its progress.
define make_venv
$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
  || { echo "Goldfold needs Python 3.11 or newer: make PYTHON=/path/to/python3.11" >&2; exit 1; }; \
echo "making $(1) with $$($(PYTHON) --version)"; \
$(PYTHON) -m venv $(1) \
  || { echo "no virtualenv could be made; on Debian: apt install python3-venv" >&2; exit 1; }; \
$(1)/bin/python -m pip install --quiet --disable-pip-version-check $$(grep '^pip==' .ci/pins.txt)
endef
