# Two commands for a stranger: `make run` serves, `make test` tests.  Each sets up what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: run repl test check bench format lock clean

run: $(READY)
	@$(BIN)/midstream serve

repl: $(READY)
	@$(BIN)/midstream repl

test: $(READY)
	$(BIN)/python -m pytest

check: $(READY)
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy --strict engine web
	$(BIN)/flake8 engine web tests
	$(BIN)/lint-imports
	$(BIN)/python -m pytest --cov --cov-report=term:skip-covered --cov-fail-under=95

# About a minute; measures, and judges nothing.
bench: $(READY)
	@$(BIN)/midstream bench

format: $(READY)
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

# The environment is made anew whenever the lock or the project's metadata change.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Midstream needs Python 3.11 or newer; try: make PYTHON=python3.12")'
	@echo "Setting up $(VENV) (once) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)

# Needs `uv`; the lock names versions and hashes, never an index.  Extras stay: pip asks for `coverage[toml]`
# and would not take `coverage` for it.
lock:
	uv pip compile --universal --generate-hashes --no-emit-index-url --no-header --no-annotate --no-strip-extras \
	    --extra dev pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .coverage
