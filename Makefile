# Everything a fresh Debian machine needs: `make demo` and `make test`. The rest serves development and CI.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test bridge-zip check mutants bench protos breaking system-packages clean

$(STAMP): pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is missing: install Python 3.11 or newer"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed (PYTHON=... make)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) 2>/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv && $(PYTHON) -m venv $(VENV); \
	  else echo "python3-venv is missing: install it (apt-get install python3-venv)"; exit 1; fi; }
	@echo "installing tillsync and what it needs into $(VENV) ..."
	@$(BIN)/pip install -q --disable-pip-version-check -e '.[dev]' 2> $(VENV)/pip.log || { cat $(VENV)/pip.log >&2; exit 1; }
	@$(BIN)/python -c 'import grpc, asyncpg, pytest'
	@touch $(STAMP)

# The main job: embedded PostgreSQL, a sandbox till and shop, the service, and a story told through its API. ONCE=1 ends after the story.
demo: $(STAMP)
	@$(BIN)/tillsync demo $(if $(ONCE),--once)

# Debian's PostgreSQL 15 is the second database of the integration tests; without it they run on the embedded one only, and say so.
system-packages:
	@scripts/install_system_packages.sh

test: $(STAMP) system-packages
	@$(BIN)/pytest -q $(PYTEST_ARGS)

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python scripts/generate_protos.py --check
	$(BIN)/buf lint
	$(BIN)/buf format -d --exit-code

# For each invariant a change that takes its mechanism out, and the tests that must then fail. MUTANT=name: that one only.
mutants: $(STAMP)
	$(BIN)/python -m tests.mutants $(MUTANT)

# QUICK=1: smaller, for a first look.
bench: $(STAMP)
	@$(BIN)/python -c 'import pgqueuer, procrastinate' 2>/dev/null || $(BIN)/pip install -q --disable-pip-version-check -e '.[dev,bench]' 2> $(VENV)/pip.log || { cat $(VENV)/pip.log >&2; exit 1; }
	@$(BIN)/python -m tests.benchmarks $(if $(QUICK),--quick) $(BENCH_ARGS)

protos: $(STAMP)
	$(BIN)/python scripts/generate_protos.py

# AGAINST=v0.1.0 make breaking
breaking: $(STAMP)
	$(BIN)/python scripts/generate_protos.py --breaking-against $(or $(AGAINST),main)

# dist/tillsync-bridge.zip, as WordPress → Plugins → Add New → Upload takes it.
bridge-zip:
	@$(PYTHON) scripts/bridge_zip.py

clean:
	rm -rf $(VENV) .tillsync build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
