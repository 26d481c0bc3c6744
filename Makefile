# Everything a fresh Debian machine needs: `make demo` and `make test`. The rest serves development and CI.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: test check mutants protos clean

$(STAMP): pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is missing: install Python 3.11 or newer"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed (PYTHON=... make)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) 2>/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv && $(PYTHON) -m venv $(VENV); \
	  else echo "python3-venv is missing: install it (apt-get install python3-venv)"; exit 1; fi; }
	@$(BIN)/pip install -q --disable-pip-version-check -e '.[dev]' 2>&1 | { grep -v '^WARNING: Location' || true; }
	@$(BIN)/python -c 'import grpc, asyncpg, pytest'
	@touch $(STAMP)

# Debian's PostgreSQL 15 is the second database of the integration tests; without it they run on the embedded one only, and say so.
.PHONY: system-packages
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

protos: $(STAMP)
	$(BIN)/python scripts/generate_protos.py

mutants: $(STAMP)
	$(BIN)/python -m tests.mutants

clean:
	rm -rf $(VENV) .tillsync build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
