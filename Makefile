# Targets with a `##` explain themselves: `make` alone prints them.
.DEFAULT_GOAL := help
SHELL := /bin/sh

UV_VERSION := 0.13.8
UV := .tools/bin/uv
RUN := $(UV) run --locked --no-sync
PYTEST := $(RUN) pytest

.PHONY: help demo test check unit simulation integration chaos chaos-tests fuzz bench install down clean

help:  ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: install  ## Install what is missing, start everything, ingest the examples, search them
	@$(RUN) apex dev up
	@$(RUN) apex demo

test: install check unit simulation integration chaos-tests  ## Everything that must pass before a change lands

check: .venv/.synced  ## Style, types and layers: ruff, pyright strict, import-linter
	$(RUN) ruff check
	$(RUN) ruff format --check
	$(RUN) lint-imports
	$(RUN) pyright

unit: .venv/.synced  ## Tests that need no service
	$(PYTEST) tests/unit -n 2

simulation: .venv/.synced  ## The write protocol in virtual time: seeded faults, every promise checked, mutants caught
	$(PYTEST) tests/simulation -n 2

integration: install  ## Tests against the real services, started for the run
	$(PYTEST) tests/integration -n 2

chaos-tests: install  ## Tests that kill, freeze and cut off the real services
	$(PYTEST) tests/chaos --ignore=tests/chaos/test_campaign_sample.py

chaos: install  ## A campaign with a report, 300 faults or 15 minutes; FAULTS=3000 SEED=7 goes on for hours
	@$(RUN) python -m tests.chaos.campaign run $(if $(FAULTS),--faults $(FAULTS)) $(if $(SEED),--seed $(SEED))

fuzz: .venv/.synced  ## 100,000 spoilt requests to the API, judged one by one; REQUESTS=1000000 SEED=7 changes that
	@$(RUN) python -m tests.fuzz $(if $(REQUESTS),--requests $(REQUESTS)) $(if $(SEED),--seed $(SEED))

bench: install  ## Figures, as ratios within one run
	@$(RUN) apex dev up
	@$(RUN) python bench/findable.py
	@$(RUN) python bench/visibility.py
	@$(RUN) python bench/load.py

install: .venv/.synced  ## Install the real services: the only step that touches a registry
	@$(RUN) apex dev install

down: .venv/.synced  ## Stop everything that `make demo` started; the data stay
	@$(RUN) apex dev down

clean: down  ## Stop everything and delete data, tools and caches
	rm -rf .apex .venv .tools .pytest_cache .ruff_cache .hypothesis

.venv/.synced: uv.lock pyproject.toml | $(UV)
	@$(UV) sync --locked --quiet --compile-bytecode
	@touch $@

$(UV):
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: apt-get install python3.11 python3.11-venv"; exit 1; }
	@python3 -m venv .tools || { echo "python3-venv is needed: apt-get install python3-venv"; exit 1; }
	@.tools/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
