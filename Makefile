# Tayyar. `make help` lists what can be made.
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
N ?= 200000
KILLS ?= 500
# One more than cores: many tests wait for something.
SHARED := -n $$(($$(nproc) + 1)) --dist loadscope --no-loadscope-reorder

.PHONY: help setup demo test lint bench faults browser-setup peers-setup bench-setup clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

setup: $(BIN)/.ready  ## create .venv with everything Tayyar needs

$(BIN)/.ready: pyproject.toml uv.lock
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 or newer is needed; name it with PYTHON=..."; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv .venv || { \
	  echo "Installing python3-venv"; rm -rf .venv; \
	  $$(test $$(id -u) = 0 || echo sudo) apt-get update -qq && \
	  $$(test $$(id -u) = 0 || echo sudo) apt-get install -y -qq python3-venv && $(PYTHON) -m venv .venv; }
	@test -x $(BIN)/uv || $(BIN)/pip install --quiet uv
	$(BIN)/uv sync --frozen --quiet
	@touch $@

demo: setup  ## bill 20,000 made-up accounts and open the portal at http://127.0.0.1:8000
	$(BIN)/tayyar demo

lint: setup  ## style, types, layers
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint browser-setup peers-setup  ## every check: lint, unit, scenario, fault and browser tests
	$(BIN)/pytest $(SHARED) -m 'not browser and not alone'
	$(BIN)/pytest -m 'not browser and alone'  # they measure time
	$(BIN)/pytest $(SHARED) -m browser  # by themselves: Playwright's event loop would run in everybody's thread

browser-setup: setup  # a real Chromium for the browser tests, from the distribution
	@command -v chromium >/dev/null || { \
	  echo "Installing chromium for the browser tests"; \
	  $$(test $$(id -u) = 0 || echo sudo) apt-get update -qq && \
	  $$(test $$(id -u) = 0 || echo sudo) apt-get install -y -qq --no-install-recommends chromium >/dev/null; }

peers-setup: setup  # servers that are not ours, for the tests against real peers; a test without its peer is skipped
	@for one in postfix:postfix npm:npm,nodejs /usr/lib/kannel/test/drive_smpp:kannel-extras; do \
	  command -v $${one%%:*} >/dev/null || test -x $${one%%:*} || missing="$$missing $$(echo $${one##*:} | tr , ' ')"; done; \
	test -z "$$missing" || { \
	  echo "Installing$$missing for the tests against real peers"; \
	  $$(test $$(id -u) = 0 || echo sudo) apt-get update -qq && \
	  $$(test $$(id -u) = 0 || echo sudo) env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
	    apt-get install -y -qq --no-install-recommends $$missing >/dev/null; }

bench-setup: setup  # what the portal is loaded with and measured against
	@for one in wrk:wrk nginx:nginx-light; do \
	  command -v $${one%%:*} >/dev/null || test -x /usr/sbin/$${one%%:*} || missing="$$missing $${one##*:}"; done; \
	test -z "$$missing" || { \
	  echo "Installing$$missing for the benchmark of the portal"; \
	  $$(test $$(id -u) = 0 || echo sudo) apt-get update -qq && \
	  $$(test $$(id -u) = 0 || echo sudo) env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
	    apt-get install -y -qq --no-install-recommends $$missing >/dev/null; }

bench: bench-setup  ## speed and memory against baselines of the same run; N=9000000 for the full one
	$(BIN)/python -m tests.benchmarks.run --accounts $(N)

faults: setup  ## kill workers, coordinator and database KILLS times at random moments
	$(BIN)/python -m tests.faults.run --kills $(KILLS)

clean:  ## remove what was built here (not the data folder)
	rm -rf .venv .mypy_cache .ruff_cache build dist
