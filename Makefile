# A fresh Debian machine needs only `make demo` and `make test`. The other targets are for development and CI. `make help` lists them.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Tests mostly wait, so each core runs two processes.
WORKERS ?= $(shell echo $$((2 * $$(nproc))))
# The queues that `make bench` compares with tillsync. No other target needs them.
PEERS := 'pgqueuer>=1.6' 'procrastinate>=3.10' 'psycopg[binary]>=3.3'
SHELL_SCRIPTS = $(shell grep -rIlE '^\#!.*\b(ba|da)?sh$$' --exclude-dir=.git --exclude-dir=.tillsync --exclude-dir=$(VENV) .)

.PHONY: help demo test test-ha test-citus test-citus-cluster test-shops unit check format mutants attack bench protos docs breaking lock audit bridge-zip version release system-packages clean other-python
.DEFAULT_GOAL := help

help:  ## prints this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# If PYTHON names another interpreter than that of $(VENV), make creates $(VENV) again. Without PYTHON $(VENV) stays as it is.
IDENTITY := import sys; print(sys.base_prefix, *sys.version_info)
ifneq ($(origin PYTHON),file)
ifneq ($(wildcard $(BIN)/python),)
ifneq ($(shell { $(PYTHON) -c '$(IDENTITY)'; } 2>/dev/null),$(shell { $(BIN)/python -c '$(IDENTITY)'; } 2>/dev/null))
OTHER_PYTHON := other-python
endif
endif
endif

define CHECK_PYTHON
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is missing: install Python 3.11 or newer"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed (PYTHON=... make)"; exit 1; }
endef

other-python:
	$(CHECK_PYTHON)
	@echo "$(VENV) was made with another Python than $(PYTHON): it is made again"
	@rm -rf $(VENV)

$(STAMP): clients/python/pyproject.toml server/pyproject.toml requirements/development.txt requirements/protoc.txt $(OTHER_PYTHON)
	$(CHECK_PYTHON)
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv $(VENV) >/dev/null 2>&1 || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "as root, apt-get installs: python3-venv"; \
	    export PATH="$$PATH:/usr/sbin:/sbin"; \
	    apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv >/dev/null && $(PYTHON) -m venv $(VENV); \
	  else echo "python3-venv is missing: install it (apt-get install python3-venv)"; exit 1; fi; }
	@echo "installing tillsync and what it needs into $(VENV) ..."
	@{ $(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements/development.txt && \
	  $(BIN)/pip install -q --disable-pip-version-check --require-hashes --no-deps --upgrade --target $(VENV)/protoc -r requirements/protoc.txt && \
	  $(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e clients/python -e server; } 2> $(VENV)/pip.log || { cat $(VENV)/pip.log >&2; exit 1; }
	@$(BIN)/python -c 'import grpc, asyncpg, pytest'
	@touch $(STAMP)

# Runs an embedded PostgreSQL, a sandbox till and shop, the service, and a story through its API.
demo: $(STAMP)  ## runs the whole system with a sandbox till and shop, and a story (ONCE=1 ends after the story)
	@$(BIN)/tillsync demo $(if $(ONCE),--once)

# The tests of a missing package do not run. The run ends with their number.
system-packages: $(STAMP)  ## installs what the tests need besides Python: Debian packages (as root), PostgreSQL 16 and 17, two WordPress builds
	@scripts/install_system_packages.sh

test: $(STAMP) system-packages  ## runs every test (PYTEST_ARGS="-k word": some of them)
	@$(BIN)/pytest -q -n $(WORKERS) --dist worksteal $(PYTEST_ARGS)

# Not part of `make test` and .ci/run, because it takes minutes and three more Debian packages.
test-ha: $(STAMP)  ## kills the primary of a Patroni cluster under load, five minutes (installs Debian's Patroni, etcd and HAProxy as root)
	@scripts/install_system_packages.sh high-availability
	@$(BIN)/pytest -q -m high_availability tests/ha $(PYTEST_ARGS)

# A cell is a schema of a Citus cluster. Citus is in no package registry, so its programs or its source must be given.
CITUS := .tillsync/citus
ON_CITUS := $(addprefix tests/integration/,$(addprefix adapters/postgres/,engine/test_lane_store.py engine/test_enqueue_entries.py events links orders queues/test_queue_actions.py queues/test_queue_reader.py queues/test_requeue.py restores) application/engine/test_worker.py)
define NEED_CITUS
	@[ -n "$$TILLSYNC_CITUS_BIN$$TILLSYNC_CITUS_SOURCE" ] || { echo "set TILLSYNC_CITUS_BIN to the programs of a PostgreSQL 15 with Citus, or TILLSYNC_CITUS_SOURCE to the archive of Citus' source"; exit 1; }
	@[ -n "$$TILLSYNC_CITUS_BIN" ] || scripts/build_citus.sh "$$TILLSYNC_CITUS_SOURCE" $(CITUS)
endef

test-citus: $(STAMP)  ## compares every statement on Citus and on PostgreSQL, refuses what an operator has not set, and runs the tests of lanes, orders, links, queues, events, restores and the worker on Citus (TILLSYNC_CITUS_BIN, or TILLSYNC_CITUS_SOURCE, an archive that is built)
	$(NEED_CITUS)
	@export TILLSYNC_CITUS_BIN="$${TILLSYNC_CITUS_BIN:-$(CITUS)/usr/lib/postgresql/15/bin}" && \
	  $(BIN)/pytest -q -n 2 --dist loadfile $(addprefix tests/integration/adapters/postgres/,test_statements_on_citus.py connections/test_cell.py) && \
	  TILLSYNC_TEST_ON_CITUS=1 $(BIN)/pytest -q -n 2 --dist worksteal -k 'not indexes' $(ON_CITUS)

# Not part of `make test` and .ci/run, because it takes minutes.
test-citus-cluster: $(STAMP)  ## moves a cell between three servers with Citus under load, and kills each of them (TILLSYNC_CITUS_BIN or TILLSYNC_CITUS_SOURCE)
	$(NEED_CITUS)
	@TILLSYNC_CITUS_BIN="$${TILLSYNC_CITUS_BIN:-$(CITUS)/usr/lib/postgresql/15/bin}" $(BIN)/pytest -q -m citus_cluster tests/citus_cluster $(PYTEST_ARGS)

# Not part of `make test`: WooCommerce is in no package registry, and a pair takes longer than everything else.
test-shops: $(STAMP) system-packages  ## runs the plugin's tests on each pair of WooCommerce and WordPress below TILLSYNC_SHOPS_DIR (ONLY=word: some of them)
	@PYTHONPATH=tests $(BIN)/python -m wordpress.every_shop $(if $(ONLY),--only '$(ONLY)') -n $(WORKERS) --dist worksteal $(PYTEST_ARGS)

unit: $(STAMP)  ## runs the unit tests: no database, no packages, no network
	@$(BIN)/pytest -q -n $(WORKERS) --dist worksteal tests/unit $(PYTEST_ARGS)

check: $(STAMP)  ## runs the linters of Python, protos, SQL revisions, shell, JavaScript, containers and licences; checks types, layers, generated code, documents, locks, and breaking changes of the protos
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python scripts/generate_protos.py --check
	$(BIN)/python scripts/generate_blocking_client.py --check
	$(BIN)/python scripts/generate_docs.py --check
	$(BIN)/python scripts/lock.py --check
	$(BIN)/python scripts/lint_migrations.py
	REUSE_ENCODING_MODULE=charset_normalizer $(BIN)/reuse lint --quiet
	$(BIN)/buf lint
	$(BIN)/buf format -d --exit-code
	$(BIN)/python scripts/generate_protos.py --breaking
	$(BIN)/shellcheck $(SHELL_SCRIPTS)
	$(BIN)/hadolint deploy/Containerfile
	$(BIN)/oxlint --deny-warnings --report-unused-disable-directives wp-bridge

format: $(STAMP)  ## formats Python and protos, and applies the automatic fixes of the linters
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/python scripts/generate_protos.py --imports
	$(BIN)/buf format -w
	$(BIN)/oxlint --fix wp-bridge

mutants: $(STAMP) system-packages  ## removes the mechanism of each invariant, and checks that tests fail (MUTANT=name: only that one)
	@PYTHONPATH=tests $(BIN)/python -m mutants $(MUTANT)

attack: $(STAMP) system-packages  ## runs the long attacks on gRPC and HTTP, twenty minutes (`make test` runs short ones)
	@TILLSYNC_TEST_SOAK=1 $(BIN)/pytest -q --timeout 3600 tests/attacks $(PYTEST_ARGS)

bench: $(STAMP)  ## runs the benchmarks of docs/benchmarks.md (QUICK=1: smaller, for a first look)
	@$(BIN)/python -c 'import pgqueuer, procrastinate' 2>/dev/null || $(BIN)/pip install -q --disable-pip-version-check $(PEERS) 2> $(VENV)/pip.log || { cat $(VENV)/pip.log >&2; exit 1; }
	@PYTHONPATH=tests $(BIN)/python -m benchmarks $(if $(QUICK),--quick) $(BENCH_ARGS)

protos: $(STAMP)  ## generates clients/python/tillsync/v1 from protos/, and the blocking client from the asynchronous one
	$(BIN)/python scripts/generate_protos.py
	$(BIN)/python scripts/generate_blocking_client.py

docs: $(STAMP)  ## generates docs/messages.md, docs/api-reference.md, and the tables of settings and metrics in docs/operating/
	$(BIN)/python scripts/generate_docs.py

breaking: $(STAMP)  ## checks whether the protos break those of AGAINST (a commit, branch or tag; default main)
	$(BIN)/python scripts/generate_protos.py --breaking-against $(or $(AGAINST),main)

lock: $(STAMP)  ## resolves requirements/*.txt again after a change of a pyproject.toml (UPGRADE=1: to the newest versions)
	@$(BIN)/python -c 'import uv' 2>/dev/null || $(BIN)/pip install -q --disable-pip-version-check uv
	$(BIN)/python scripts/lock.py $(if $(UPGRADE),--upgrade)

# Not part of .ci/run, because CI reaches package registries only.
audit: $(STAMP)  ## asks PyPI and OSV for known weaknesses of the locked packages (needs the network)
	@$(BIN)/python scripts/audit.py

bridge-zip:  ## makes dist/tillsync-bridge.zip, the WordPress plugin (BRIDGE_PUBLIC_KEY="KEY [KEY]": with updates signed by these keys)
	@$(PYTHON) scripts/bridge_zip.py $(foreach key,$(BRIDGE_PUBLIC_KEY),--public-key $(key))

version: $(STAMP)  ## writes VERSION into all sources that have the version
	@$(BIN)/python scripts/version_places.py $(VERSION)

release: $(STAMP)  ## makes dist/VERSION from a clean clone, and the tag, which stays here (DRY_RUN=1: no tag; NO_IMAGE=1: no container image)
	@$(BIN)/python scripts/release.py $(VERSION) $(if $(DRY_RUN),--dry-run) $(if $(NO_IMAGE),--no-image)

clean:  ## removes all files that the other targets made here
	rm -rf $(VENV) .tillsync build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
