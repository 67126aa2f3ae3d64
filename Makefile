# Everything a newcomer types. Each target prepares what it needs by itself.

PYTHON ?= python3
JOBS ?= 2
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime
DEV := $(VENV)/.dev
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --no-annotate $(ARGS)
LOCKS := tests/requirements.lock deploy/requirements.lock deploy/build.lock

.DEFAULT_GOAL := help
.PHONY: help run certs test fuzz lint fmt types lua bench wheel lock clean

help: ## Show this list
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' Makefile

##@ Use

run: $(RUNTIME) ## Serve on 127.0.0.1:8000 with the embedded store (ARGS="--port 9000")
	$(BIN)/tokenhouse serve $(ARGS)

certs: $(DEV) ## Make a CA, a server's and a client's certificate in build/certs
	$(BIN)/python -m tests.certs build/certs

##@ Work

test: $(DEV) ## Run every test on real servers (ARGS="-k verify", JOBS=4)
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(ARGS)

fuzz: $(DEV) ## Compare both gates, try every API, at length (FUZZ_CASES=10000000)
	FUZZ_CASES=$(or $(FUZZ_CASES),2000000) FUZZ_EXAMPLES=$(or $(FUZZ_EXAMPLES),300) \
		$(BIN)/python -m pytest -n $(JOBS) --timeout 0 -k "at_length or schemathesis" $(ARGS)

lint: $(DEV) ## Check style, types, floors and Lua
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	@$(MAKE) --no-print-directory lua

fmt: $(DEV) ## Format the code and mend what can be mended
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

types: $(DEV) ## Check types
	$(BIN)/mypy

lua: $(DEV) ## Write the scripts as Redis gets them to build/lua and check them
	rm -rf build/lua
	$(BIN)/python -m service.store.scripts build/lua
	$(BIN)/python .ci/luacheck.py build/lua/plain/*.lua

bench: $(DEV) ## Measure the gate beside the floor and its peers (ARGS=--quick)
	$(BIN)/python -m bench $(ARGS)

##@ Ship

wheel: $(DEV) ## Build the wheel into dist/
	$(BIN)/python -m hatchling build --target wheel

lock: $(DEV) ## Pin the dependencies anew, with hashes (ARGS=--upgrade)
	$(COMPILE) pyproject.toml --group dev --output-file tests/requirements.lock
	$(COMPILE) pyproject.toml --constraint tests/requirements.lock --output-file deploy/requirements.lock
	$(COMPILE) --group build --constraint tests/requirements.lock --output-file deploy/build.lock
	@! grep -n '://' $(LOCKS) || { echo "a lock file names a host" >&2; exit 1; }

clean: ## Remove everything that make made
	rm -rf build dist $(VENV) .tools .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

# What the targets stand on: a virtual environment, first for running, then for working.

$(BIN)/python:
	.ci/venv $(PYTHON) $(VENV)

$(RUNTIME): pyproject.toml deploy/requirements.lock deploy/build.lock | $(BIN)/python
	$(PIP) install --require-hashes -r deploy/requirements.lock -r deploy/build.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV): $(RUNTIME) tests/requirements.lock
	$(PIP) install --require-hashes -r tests/requirements.lock
	@touch $@
