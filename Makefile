# make test               install what is missing, then linters, types and tests (the fast ones first), with coverage
# make test-lower-bounds  the quick tests with the oldest libraries that pyproject.toml allows
# make demo               from drawn sarees to a report and, with SERVE=1 (the default), the app
# make docs               the pages of docs/ as a site, docs/_build/html, with no network; warnings are errors
# make pictures           the pictures of README.md and docs/ anew, from the demonstration and in a browser
# make notebooks          the notebooks anew, with what they print and draw
# make install            the virtual environment alone; `make test` and `make demo` do it when needed
# make clean              remove what tools, builds and the demonstration leave behind; your own runs stay
# make distclean          the same and the virtual environments: what is left is what was cloned, and your own runs
#
# VENV is the virtual environment, PYTHON what creates it: make test VENV=/tmp/venv PYTHON=python3.12
# PORT is where the app is served, the first free port from 7860 if it is not given; DEMO is the demonstration's folder.

VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin

# A stamp is touched after an installation and is older than pyproject.toml when that has changed since.
RUNTIME := $(VENV)/.installed
DEV := $(VENV)/.installed-dev
DOCS := $(VENV)/.installed-docs

# Slow tests wait for browsers, servers and new processes half of the time: half as many workers again as cores.
SLOW_WORKERS := $(shell echo $$(( ($$(getconf _NPROCESSORS_ONLN) * 3 + 1) / 2 )))

.DEFAULT_GOAL := help
.PHONY: help install test test-lower-bounds demo docs notebooks pictures clean distclean

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

$(DOCS): pyproject.toml $(RUNTIME)
	$(BIN)/python -m pip install --quiet --editable . --group docs
	touch $@

# Python may keep what it compiles, also where it is told not to: each process of the tests would else compile all of
# them and the package anew.
test: $(DEV)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	@unset PYTHONDONTWRITEBYTECODE && SAREE_COSFACE_TESTED=$$(mktemp -d) && export SAREE_COSFACE_TESTED && trap 'rm -rf "$$SAREE_COSFACE_TESTED"' EXIT && \
	  echo "Quick tests:" && \
	  $(BIN)/python -m pytest -m "not slow" --cov --cov-report= --cov-fail-under=0 && \
	  echo "Slow tests:" && \
	  $(BIN)/python -m pytest tests -m slow --no-loadscope-reorder -n $(SLOW_WORKERS) --cov --cov-append

# On Linux the oldest torch brings gigabytes of CUDA libraries: docs/how-to/release.md tells how to do without them.
LOWER := .venv-lower-bounds

$(LOWER)/.installed: pyproject.toml tests/lower_bounds.py
	$(PYTHON) -m venv --clear $(LOWER)
	$(LOWER)/bin/python -m pip install --quiet --upgrade "pip>=25.1" packaging
	$(LOWER)/bin/python tests/lower_bounds.py > $(LOWER)/constraints.txt
	$(LOWER)/bin/python -m pip install --quiet --editable . --group dev --constraint $(LOWER)/constraints.txt
	touch $@

test-lower-bounds: $(LOWER)/.installed
	$(LOWER)/bin/python -m pytest -m "not slow"

# A second start takes seconds, and one that was broken off goes on where it stopped. `rm -r runs/demo` begins anew.
DEMO ?= runs/demo
SERVE ?= 1

demo: $(RUNTIME)
	$(BIN)/saree-cosface demo --out $(DEMO) $(if $(filter 1,$(SERVE)),--serve $(if $(PORT),--port $(PORT)))

docs: $(DOCS)
	$(BIN)/python -m sphinx --builder html --fresh-env --write-all --fail-on-warning --keep-going --quiet docs docs/_build/html
	@echo "Site: $(abspath docs/_build/html/index.html)"

# Some ten minutes on two cores.
notebooks: $(DEV)
	$(BIN)/python -m docs.notebooks

# Of the demonstration, `make demo SERVE=0`.
pictures: $(DEV)
	$(BIN)/python -m docs.pictures $(DEMO)

# Folders of the virtual environment and of runs are not searched: what lies there is not ours to remove.
clean:
	rm -rf build dist htmlcov .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage .coverage.* *.egg-info
	rm -rf $(DEMO) docs/_build docs/reference/commands docs/reference/repository docs/reference/python.md
	rmdir runs 2>/dev/null || true
	find . \( -path ./$(VENV) -o -path ./$(LOWER) -o -path ./runs -o -path ./.git \) -prune -o \
	  \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +
	find benchmarks -name '*.lock' -delete

distclean: clean
	rm -rf $(VENV) $(LOWER)
