# Two commands for a stranger: `make run` serves, `make test` tests.  Each sets up what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PEERS_VENV := .venv-peers
PEERS_READY := $(PEERS_VENV)/.ready
MUTANTS_VENV := .venv-mutants
MUTANTS_READY := $(MUTANTS_VENV)/.ready
DOCS_VENV := .venv-docs
DOCS_READY := $(DOCS_VENV)/.ready

.PHONY: run repl test check bench bench-peers soak soak-simulation mutants docs format lock clean

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

# About ten minutes; measures, and judges nothing.
bench: $(READY)
	@$(BIN)/midstream bench

# About three minutes; the same script on Midstream and on other tools, which have an environment of their own.
bench-peers: $(READY) $(PEERS_READY)
	@PYTHONPATH=tests $(BIN)/python -m peers.bench

# An hour of the real server under load; `make soak MINUTES=10` is a shorter one.
MINUTES ?= 60
soak: $(READY)
	@$(BIN)/python tests/soak/soak.py --minutes $(MINUTES)

# An hour or two of CPU time; `make soak-simulation OPERATIONS=50000` is a shorter one.
soak-simulation: $(READY)
	@$(BIN)/python -m engine.simulation.soak $(OPERATIONS)

# About half an hour; `make mutants FILES=engine/policy.py` changes one file only.
mutants: $(MUTANTS_READY)
	@$(MUTANTS_VENV)/bin/python tests/mutation/mutants.py $(FILES)

# The site of docs/, in site/.  A link that leads nowhere, or a page that asks another host for anything, fails.
docs: $(DOCS_READY)
	@NO_MKDOCS_2_WARNING=1 $(DOCS_VENV)/bin/mkdocs build --strict

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

# The lock is made as the other one is:
# uv pip compile --universal --generate-hashes --no-emit-index-url --no-header --no-annotate \
#     tests/peers/requirements.in -o tests/peers/requirements.lock
$(PEERS_READY): tests/peers/requirements.lock
	@echo "Setting up $(PEERS_VENV) (once) ..."
	@$(PYTHON) -m venv $(PEERS_VENV)
	@$(PEERS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/peers/requirements.lock
	@touch $(PEERS_READY)

# Both locks are installed: mutmut runs the project's tests.  Its own is made with the project's as constraints.
$(MUTANTS_READY): requirements.lock tests/mutation/requirements.lock
	@echo "Setting up $(MUTANTS_VENV) (once) ..."
	@$(PYTHON) -m venv $(MUTANTS_VENV)
	@$(MUTANTS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(MUTANTS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/mutation/requirements.lock
	@touch $(MUTANTS_READY)

# The lock is made as that of the peers is.
$(DOCS_READY): docs/requirements.lock
	@echo "Setting up $(DOCS_VENV) (once) ..."
	@$(PYTHON) -m venv $(DOCS_VENV)
	@$(DOCS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r docs/requirements.lock
	@touch $(DOCS_READY)

# Needs `uv`; the lock names versions and hashes, never an index.  Extras stay: pip asks for `coverage[toml]`
# and would not take `coverage` for it.
lock:
	uv pip compile --universal --generate-hashes --no-emit-index-url --no-header --no-annotate --no-strip-extras \
	    --extra dev pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV) $(PEERS_VENV) $(MUTANTS_VENV) $(DOCS_VENV) site .mypy_cache .pytest_cache .ruff_cache .coverage
