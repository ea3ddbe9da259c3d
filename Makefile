# The two commands of the README, and what a developer uses every day. Everything that must be installed is, once.
.DEFAULT_GOAL := help
.PHONY: help demo test test-cluster chaos bench lint format

RUN := scripts/uv run --locked
ARGS ?=
TESTS ?= tests
# Most tests wait for servers. Two workers, each with its own servers, keep two cores busy.
WORKERS ?= 2
# The pages whose prose is wrapped at 100 columns.
MARKDOWN := $(filter-out docs/custom-resources.md,$(wildcard *.md docs/*.md docs/decisions/*.md))

help: ## Show this help
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

demo: ## Run Questbell here with a simulated Discord, or with DISCORD_TOKEN=… a real one; ARGS='--once --json' checks it
	@$(RUN) python -m sandbox.demo $(ARGS)

test: ## Install what the tests need, then run them; TESTS=tests/unit for some, ARGS for pytest
	@$(RUN) python -m sandbox.servers
	@$(RUN) coverage erase
	@$(RUN) coverage run -m pytest --numprocesses $(WORKERS) --dist worksteal $(TESTS) $(ARGS)
	@$(RUN) coverage combine --quiet
	@$(RUN) coverage xml --quiet
	@echo "branch coverage: $$($(RUN) coverage report --format=total) % (coverage.xml has the lines)"
ifeq ($(TESTS),tests)
	@$(RUN) python -m tests.chaos --quick
endif

test-cluster: ## Install the chart on a test cluster and break it; makes one with kind when kubectl has no context
	@$(RUN) pytest --cluster tests/cluster $(ARGS)

chaos: ## Inject faults while many games run, and check what was delivered; ARGS='--scenario NAME --seed N', --quick, --list
	@$(RUN) python -m tests.chaos $(ARGS)

bench: ## Measure how fast reminders are delivered and where the time goes; ARGS=--quick, --peers
	@$(RUN) $(if $(findstring --peers,$(ARGS)),--group peers) python -m benchmarks $(ARGS)

lint: ## Check style, types, the dependencies between packages, spelling, and the wrapping of pages
	@$(RUN) ruff check
	@$(RUN) ruff format --check
	@$(RUN) mypy
	@$(RUN) lint-imports
	@$(RUN) codespell --dictionary=- --dictionary=scripts/avoided-words.txt
	@$(RUN) mdformat --check $(MARKDOWN)

format: ## Format the code and wrap the pages
	@$(RUN) ruff check --fix
	@$(RUN) ruff format
	@$(RUN) mdformat $(MARKDOWN)
