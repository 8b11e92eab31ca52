# Two commands set everything up: `make demo` and `make test`. Both build .venv from the hash-locked requirements.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export DAGSTER_DISABLE_TELEMETRY := 1
export GX_ANALYTICS_ENABLED := false
# two BLAS threads are slower than one on matrices of this size
export OPENBLAS_NUM_THREADS := 1

.PHONY: help demo demo-clif test test-slow check format ui lock clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

$(STAMP): requirements.lock requirements-clif-demo.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-clif-demo.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $(STAMP)

demo: $(STAMP)  ## simulate a hospital, refresh everything, print the paths to open
	$(BIN)/aclf demo

demo-clif: $(STAMP)  ## the same house on the public MIMIC-IV demo in CLIF format
	$(BIN)/aclf refresh --source clif --study icu_cirrhosis

test: $(STAMP)  ## the tests, without those marked slow
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not slow"

test-slow: $(STAMP)  ## the tests marked slow
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m slow

check: $(STAMP)  ## format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/sqlfluff lint --processes 2 sql

format: $(STAMP)  ## put the code in its form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/sqlfluff fix --processes 2 sql

ui: $(STAMP)  ## Dagster's pages and the reports of the demo (or of ACLF_HOME), on loopback
	ACLF_HOME=$${ACLF_HOME:-data/demo} $(BIN)/aclf ui

lock:  ## resolve the dependencies again (needs uv)
	uv pip compile pyproject.toml build-requirements.in --extra dev --universal --python-version 3.11 \
		--generate-hashes --no-header --no-annotate --no-emit-index-url --no-strip-extras \
		--output-file requirements.lock

clean:  ## remove what the pipeline wrote; exports and key included
	rm -rf data
