# Every target sets itself up: on a fresh machine with Python 3.11, `make demo` and `make test` are enough.
# EGO_VENV=DIR names another virtual environment than .venv; WORKERS=1 runs the tests one after the other.
EGO_VENV ?= .venv
WORKERS ?= 2
BIN := $(EGO_VENV)/bin
PYTEST := $(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile
export EGO_VENV
# Each test worker keeps to one core; otherwise every library starts a thread for each core in each worker.
test test-slow: export OMP_NUM_THREADS ?= 1

.PHONY: help setup demo test test-slow check docs pins bench clean

help:  ## what can be made
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

setup:  ## the virtual environment, from requirements.txt
	@scripts/setup

demo: setup  ## a kitchen is drawn, its features extracted, two heads fitted: tables and pictures under demo/
	@$(BIN)/python scripts/demo.py demo

test: setup  ## the quick tests
	@$(PYTEST)

test-slow: setup  ## the long tests
	@$(PYTEST) -m slow

check: setup  ## style, types and who may import whom
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

docs: setup  ## docs/commands.md, written from the commands' own help
	@$(BIN)/python scripts/write_commands.py

pins:  ## requirements.txt, from pyproject.toml and what is installed in the environment
	@$(BIN)/python scripts/write_requirements.py

bench: setup  ## every measurement of docs/performance.md, one after the other
	@for script in benchmarks/[!_]*.py; do echo "== $$script"; $(BIN)/python "$$script" || exit 1; done

clean:  ## removes what was made here, but not .venv
	@rm -rf demo .mypy_cache .ruff_cache .pytest_cache .import_linter_cache ego.egg-info
