# make test      install what is missing, then linters, types and tests (the fast ones first), with coverage
# make demo      from drawn sarees to a report and, with SERVE=1 (the default), the app
# make install   the virtual environment alone; `make test` and `make demo` do it when needed
# make clean     remove what tools and builds leave behind; the virtual environment and runs/ stay
#
# VENV is the virtual environment, PYTHON what creates it: make test VENV=/tmp/venv PYTHON=python3.12

VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin

# A stamp is touched after an installation and is older than pyproject.toml when that has changed since.
RUNTIME := $(VENV)/.installed
DEV := $(VENV)/.installed-dev

.DEFAULT_GOAL := help
.PHONY: help install test demo clean

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

install: $(RUNTIME)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# Dependency groups are known to pip from 25.1 on.
$(RUNTIME): pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(DEV): pyproject.toml $(RUNTIME)
	$(BIN)/python -m pip install --quiet --editable . --group dev
	touch $@

test: $(DEV)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python -m pytest -m "not slow" --cov --cov-report= --cov-fail-under=0
	$(BIN)/python -m pytest -m slow --cov --cov-append

clean:
	rm -rf build dist htmlcov .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage .coverage.*
	find saree_cosface app tests benchmarks -name __pycache__ -prune -exec rm -rf {} +
