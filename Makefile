# Everything multistack needs lives in .venv; every target sets it up first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
MULTISTACK = $(BIN)/multistack --file sample_service/multistack.toml
# e.g. make envs-up ENVIRONMENTS="test staging"
ENVIRONMENTS ?=
# e.g. make conformance DRIVERS=localstack, which needs make image; what was recorded of the others stays
DRIVERS ?= embedded,ministack
# e.g. make test-docker ON_CONTAINERS=tests/docker
ON_CONTAINERS ?= tests/docker tests/functional
# A folder that keeps a base image made with debootstrap, e.g. between runs of CI.
IMAGE_CACHE ?=

.DEFAULT_GOAL := help
.PHONY: help setup envs-up envs-down envs-status envs-logs envs-reset image compose compose-up compose-down test test-docker check bench \
  conformance docs format lab manual

help: ## Print these targets.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1|\2/' | \
	  while IFS='|' read -r target text; do printf '%-12s %s\n' "$$target" "$$text"; done

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: $(PYTHON) is older than Python 3.11; try: make PYTHON=python3.12" >&2; exit 2; }
	@echo "installing into $(VENV): some minutes the first time" >&2
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

setup: $(READY) ## Make .venv and install everything into it.

envs-up: $(READY) ## Start all environments of the sample service, deploy it, start the proxy.
	@$(MULTISTACK) up $(ENVIRONMENTS)

envs-down: $(READY) ## Stop all environments and the proxy.
	@$(MULTISTACK) down $(ENVIRONMENTS)

envs-status: $(READY) ## Show what runs and where.
	@$(MULTISTACK) status $(ENVIRONMENTS)

envs-logs: $(READY) ## Show the logs of all environments.
	@$(MULTISTACK) logs $(ENVIRONMENTS)

envs-reset: $(READY) ## Forget all data, that of prod too: every environment as freshly deployed.
	@$(MULTISTACK) reset --yes $(ENVIRONMENTS)

image: $(READY) ## Build the image for containers, without a registry too.
	@$(BIN)/multistack image build $(if $(IMAGE_CACHE),--cache $(IMAGE_CACHE))

compose-up: $(READY) ## Start everything in containers, with Compose.
	@compose/up.sh $(abspath $(BIN))/multistack

compose-down: ## Stop what compose-up started, and remove its containers, networks and data.
	@cd compose && if docker compose version >/dev/null 2>&1; then docker compose down --volumes --remove-orphans; \
	  else docker-compose down --volumes --remove-orphans; fi

compose: $(READY) ## Render compose/compose.yaml from the sample's project file.
	@$(MULTISTACK) compose --output compose/compose.yaml

test: $(READY) ## Run all tests.
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal

test-docker: $(READY) ## Run the tests of containers, and the functional ones on containers; needs make image.
	$(BIN)/python -m pytest $(ON_CONTAINERS) --multistack-driver localstack --numprocesses 2 --dist loadgroup

check: $(READY) ## Check format, lint and types.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(READY) ## Measure, and write docs/benchmarks.md.
	$(BIN)/python -m tests.benchmarks

conformance: $(READY) ## Hold every driver against AWS's rules; record it for `multistack capabilities`.
	$(BIN)/python -m pytest tests/conformance --drivers $(DRIVERS) --numprocesses 2 --dist worksteal --record

lab: $(READY) ## Run the lab's experiments on both drivers, which needs make image; write docs/lab.md.
	$(BIN)/python -m tests.lab_page embedded localstack

docs: $(READY) ## Build the docs site into .docs/site, without a network.
	@$(BIN)/python -m tests.documentation

manual: $(READY) ## Write the manual page from the commands.
	@$(BIN)/python -m tests.documentation.manual

format: $(READY) ## Format the code and mend what ruff can mend.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
