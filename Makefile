# Everything a person types. `make` alone lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# Ids come from people and from other programs: they reach the shell only as quoted environment variables, never as text
# of a recipe.
override INC := $(value INC)
override WORKSPACE := $(value WORKSPACE)
override BUILD := $(value BUILD)
override ROWS := $(value ROWS)
override SPANS := $(value SPANS)
override DATA := $(value DATA)
export INC WORKSPACE BUILD ROWS SPANS DATA

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): requirements.lock pyproject.toml
	@echo "Setting up $(VENV) (once, about a minute) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "prodintel needs Python 3.11 or later; $(PYTHON) is $$($(PYTHON) -V). Hint: make PYTHON=python3.12"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.PHONY: setup
setup: $(READY) ## Create .venv from requirements.lock

.PHONY: replay
replay: $(READY) ## Replay an incident: make replay INC=INC-2024-1234 [WORKSPACE=dir]
	@test -n "$$INC" || { echo "Which incident? Hint: make replay INC=INC-2024-1234"; exit 2; }
	@$(BIN)/prodintel replay $${WORKSPACE:+--workspace "$$WORKSPACE"} -- "$$INC"

.PHONY: journeys
journeys: $(READY) ## Report what users do, and make browser tests of it [WORKSPACE=dir]
	@$(BIN)/prodintel journeys $${WORKSPACE:+--workspace "$$WORKSPACE"}

.PHONY: errors
errors: $(READY) ## Report which errors are bugs and what goes with them, and make tests of them [WORKSPACE=dir]
	@$(BIN)/prodintel errors $${WORKSPACE:+--workspace "$$WORKSPACE"}

.PHONY: anomalies
anomalies: $(READY) ## Report what is abnormal, and make guards of it [WORKSPACE=dir]
	@$(BIN)/prodintel anomalies $${WORKSPACE:+--workspace "$$WORKSPACE"}

.PHONY: health
health: $(READY) ## Report how production is, with its promises and a status board [WORKSPACE=dir]
	@$(BIN)/prodintel health $${WORKSPACE:+--workspace "$$WORKSPACE"}

.PHONY: load
load: $(READY) ## Report when how much comes and from whom, and make a load test of it [WORKSPACE=dir]
	@$(BIN)/prodintel load $${WORKSPACE:+--workspace "$$WORKSPACE"}

.PHONY: monitors
monitors: $(READY) ## Make scheduled checks of critical endpoints and journeys [WORKSPACE=dir]
	@$(BIN)/prodintel monitors $${WORKSPACE:+--workspace "$$WORKSPACE"}

.PHONY: prove
prove: $(READY) ## Prove an incident's tests on the demo: red, green, green
	@$(BIN)/prodintel prove $${WORKSPACE:+--workspace "$$WORKSPACE"} -- "$${INC:-INC-2024-1234}"

.PHONY: certify
certify: $(READY) ## Certify an incident's tests on the demo, ten runs in each setting: make certify INC=INC-2024-1234
	@$(BIN)/prodintel replay -- "$${INC:-INC-2024-1234}"
	@$(BIN)/prodintel certify --demo --time-scale 0.2 -- "reports/incident_replay/$${INC:-INC-2024-1234}"

.PHONY: certify-all
certify-all: $(READY) ## Certify every incident of the demo (an hour or more); writes benchmarks/certification.md
	@set -e; runs=(); for id in $$($(BIN)/prodintel demo incidents | awk '/^[^ ]/ {print $$1}'); do \
	  $(BIN)/prodintel replay -- "$$id" >/dev/null; runs+=("reports/incident_replay/$$id"); done; \
	  $(BIN)/prodintel certify --demo --time-scale 0.2 --table benchmarks/certification.md -- "$${runs[@]}"

.PHONY: minimise
minimise: $(READY) ## Find the smallest scenario that still fails, on the demo: make minimise INC=INC-2024-1234
	@$(BIN)/prodintel replay -- "$${INC:-INC-2024-1234}"
	@$(BIN)/prodintel minimise --demo --time-scale 0.2 -- "reports/incident_replay/$${INC:-INC-2024-1234}"

.PHONY: test-certify
test-certify: $(READY) ## Run the tests of proofs and certificates, without the demo
	@$(BIN)/pytest tests/certify tests/certify_command_test.py tests/renderers/verified_test.py

.PHONY: demo
demo: $(READY) ## Start the demo shop: make demo INC=INC-2024-1234 BUILD=faulty|fixed
	@$(BIN)/prodintel demo up --incident "$${INC:-INC-2024-1234}" --build "$${BUILD:-faulty}"

.PHONY: record
record: $(READY) ## Record an incident of the demo anew (about ten minutes)
	@$(BIN)/prodintel demo record "$${INC:-INC-2024-1234}"

.PHONY: lab
lab: $(READY) ## Open JupyterLab on the notebooks
	@$(BIN)/jupyter lab --notebook-dir=. --LabApp.default_url=/lab/tree/notebooks/incident_replay.ipynb \
	  --LabApp.news_url=None --LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate

.PHONY: lint
lint: $(READY) ## Check style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

.PHONY: test
test: lint $(READY) ## Run all tests, the notebooks' outputs and the closed-loop proofs
	@$(BIN)/pytest tests
	@$(BIN)/pytest --nbval --nbval-sanitize-with tests/nbval.cfg -p no:cacheprovider notebooks

.PHONY: test-quick
test-quick: $(READY) ## Run the tests that take no running demo
	@$(BIN)/pytest tests -m "not proof and not slow"

.PHONY: test-tools
test-tools: $(READY) ## Install what some tests need from the system: Chromium, a Java runtime, Node, PySpark
	@./.ci/test-tools

.PHONY: notebooks
notebooks: $(READY) ## Run the notebooks and keep their outputs, as they are committed
	@$(BIN)/python -m prodintel_lib.notebooks.refresh

.PHONY: bench
bench: $(READY) ## Measure (about fifteen minutes): make bench [ROWS=100000] [SPANS=200000] [DATA=dir]; see benchmarks/README.md
	@echo "1 of 5: the warm replay against an empty notebook, six rounds (about a minute)"
	@$(BIN)/python benchmarks/replay.py
	@echo "2 of 5: how fast telemetry gets in, and the memory of a large file (about four minutes)"
	@$(BIN)/python benchmarks/ingest.py $${ROWS:+--rows "$$ROWS"} $${SPANS:+--large "$$SPANS"}
	@echo "3 of 5: the analysis of many spans (about three minutes)"
	@$(BIN)/python benchmarks/scale.py $${SPANS:+--spans "$$SPANS"}
	@echo "4 of 5: causes and places of failure, on data with known answers (half a minute)"
	@if test -d "$${DATA:-../shared/data}/rootcausebench"; then $(BIN)/python -m benchmarks.causes "$${DATA:-../shared/data}"; \
	  else echo "skipped: $${DATA:-../shared/data} holds no rootcausebench. Hint: make bench DATA=folder"; fi
	@echo "5 of 5: the time of a certificate, three runs a setting (about two minutes)"
	@$(BIN)/python benchmarks/certify.py

.PHONY: lock
lock: ## Resolve the dependencies anew (needs uv)
	@uv pip compile pyproject.toml --extra lab --extra demo --extra test --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-annotate --custom-compile-command "make lock" --quiet -o requirements.lock
	@uv pip compile pyproject.toml --extra lab --extra demo --extra test --extra spark --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-annotate --custom-compile-command "make lock" --quiet \
	  -c requirements.lock -o requirements-spark.lock

.PHONY: clean
clean: ## Remove reports, the demo's lake and caches; keeps .venv
	@find reports -mindepth 1 -not -name README.md -delete
	@rm -rf demo/workspace/lake .mypy_cache .ruff_cache .pytest_cache .hypothesis
