# Two commands do everything, set-up included: `make demo` and `make test`.
#
# Paths are relative on purpose: make cannot handle a space in a path, and a checkout may lie under one.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

export AFFECT_HOME ?= $(CURDIR)/.affect
# A virtual environment that happens to be active, or a user's own packages, must not get in the way.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV
export PYTHONNOUSERSITE := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

PYTHON ?= python3.11
BIN := .venv/bin
RUNTIME := .venv/.installed-runtime
DEV := .venv/.installed-dev
# Two at a time: much of the suite waits for servers. A file stays together, for what its tests share. A worker that
# dies ends the run: its file would only kill the next one. Each has a core: threads beyond it wait for each other.
PYTEST_FLAGS ?= --numprocesses 2 --dist loadfile --no-loadscope-reorder --max-worker-restart 0

.PHONY: help demo up doctor test lint fix lock clean

help: ## Say what can be made.
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 10

demo: $(RUNTIME) ## Install, start the local stack, run the pipeline on a simulated cohort, print what it found.
	@$(BIN)/affect demo $(DEMO_FLAGS)

up: $(RUNTIME) ## Install, and start the local stack in the foreground.
	@$(BIN)/affect up

doctor: $(RUNTIME) ## Say what is wrong with this set-up, and how to mend it.
	@$(BIN)/affect doctor

test: $(DEV) ## Install, and run the whole suite with coverage.
	@OMP_NUM_THREADS=1 $(BIN)/python -m slipcover -m pytest $(PYTEST_FLAGS)

lint: $(DEV) ## Check style, types and SQL.
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/sqlfluff lint --processes 2 sql

fix: $(DEV) ## Format, and mend what a program can mend.
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@$(BIN)/sqlfluff fix --processes 2 sql

lock: $(DEV) ## Compile the lock files from pyproject.toml.
	@$(BIN)/pip install --quiet uv
	@scripts/lock

clean: ## Remove the environment and all local state.
	@rm -rf .venv .affect .mypy_cache .ruff_cache .pytest_cache

.venv/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) was not found: install Python 3.11, or name it: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv .venv

$(RUNTIME): requirements.lock pyproject.toml | .venv/bin/python
	@echo "installing what the pipeline needs into .venv (some minutes, once)"
	@$(BIN)/python -m pip install --quiet --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --no-deps --editable .
	@$(BIN)/python -m affect_pipeline.compile_ahead
	@touch $@

$(DEV): requirements-dev.lock $(RUNTIME)
	@echo "installing what the tests need into .venv (a minute, once)"
	@$(BIN)/python -m pip install --quiet --requirement requirements-dev.lock
	@touch $@
