# Two commands from a fresh clone: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Not `dev`: it names steplog itself, and a lock would hold this folder's path.
LOCKED_EXTRAS := --extra local --extra parquet --extra examples --extra test --extra lint
PIN = $(BIN)/uv pip compile --quiet --generate-hashes --no-header --python $(BIN)/python
DEMO_DATA := .steplog/demo
COMPILED := tracker_service/compiled
# Tests wait more than they compute, so more of them than cores run at a time; each worker starts
# servers of its own.
TEST_WORKERS ?= 3

.DEFAULT_GOAL := help
.PHONY: help venv demo test lint format bench bench-embedded bench-engine bench-page bench-rebuild bench-recovery bench-tracker bench-tracker-soak chaos chaos-cluster screenshots mutation lock clean bench-api compiled

help:  ## Say what there is.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/:/' | awk -F: '{printf "  make %-15s%s\n", $$1, $$2}'

venv: $(STAMP)

$(STAMP): requirements.lock pyproject.toml setup.py $(wildcard $(COMPILED)/*.py)
	@echo "Making $(VENV) from requirements.lock; this takes a minute, once."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
		--requirement requirements.lock
	@rm -f $(COMPILED)/*.so
	@$(BIN)/python -m pip install --verbose --disable-pip-version-check --no-deps \
		--no-build-isolation --editable . >$(VENV)/install.log 2>&1 || { cat $(VENV)/install.log; exit 1; }
	@touch $(STAMP)

compiled:  ## Compile the hot loops again; STEPLOG_INTERPRETED=1 leaves them interpreted.
	@rm -f $(STAMP)
	@$(MAKE) --no-print-directory venv

demo: $(STAMP)  ## Start everything here, run the weather example, show it, stop. KEEP=1 leaves it running.
	@KEEP="$(KEEP)" sh examples/seattle_weather/demo.sh $(BIN)/steplog $(DEMO_DATA)

test: lint  ## Every check and every test, on a real Kafka and a real PostgreSQL.
	@echo "Preparing Kafka's start, once; then the tests, which take about twenty minutes."
	@$(BIN)/python -m steplog.local.kafka_start_cache_build
	$(BIN)/pytest --numprocesses $(TEST_WORKERS) --dist worksteal --durations 20

lint: $(STAMP)  ## Style, types, layers.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m steplog_contracts.publishing.generate --check

format: $(STAMP)  ## Put the code into the house's form.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)  ## The pair: executions a second, latency, CPU by process.
	$(BIN)/python -m tests.benchmarks.pair

chaos: $(STAMP)  ## Kill and freeze processes while executions run; then judge every one.
	$(BIN)/python -m tests.e2e.chaos

chaos-cluster: $(STAMP)  ## The same on three brokers with replicas, which lose their log's tail at last.
	$(BIN)/python -m tests.e2e.cluster_chaos

bench-page: $(STAMP)  ## The page in a browser: first paint, bytes.
	$(BIN)/python -m tests.benchmarks.page

bench-recovery: $(STAMP)  ## From kill -9 to everything going on, flat in history; the executor's memory.
	$(BIN)/python -m tests.benchmarks.recovery

bench-engine: $(STAMP)  ## The engine alone: steps a second, fan-out.
	$(BIN)/python -m tests.benchmarks.engine

bench-tracker: $(STAMP)  ## The tracker alone: events a second, lag, CPU by part.
	$(BIN)/python -m tests.benchmarks.tracker

bench-tracker-soak: $(STAMP)  ## The tracker's memory over ten million events.
	$(BIN)/python -m tests.benchmarks.tracker_soak

bench-rebuild: $(STAMP)  ## A rebuild against a bare COPY of the same rows, and beside a live tracker.
	$(BIN)/python -m tests.benchmarks.rebuild

bench-embedded: $(STAMP)  ## Embedded mode against the pair: executions a second, latency, start-up.
	$(BIN)/python -m tests.benchmarks.embedded

screenshots: $(STAMP)  ## Pictures of every page into docs/screenshots; needs a Chromium.
	$(BIN)/python -m tests.tracker.web.screenshots

bench-api: $(STAMP)  ## The read API over a million executions while the tracker writes: p99 by question.
	$(BIN)/python -m tests.benchmarks.api

mutation:  ## Mutants of the engine that no rule's test kills. Long; makes an environment of its own.
	$(PYTHON) -m venv .venv-mutation
	.venv-mutation/bin/python -m pip install --quiet --require-hashes --requirement requirements.lock
	.venv-mutation/bin/python -m pip install --quiet "mutmut>=3.2,<4"
	.venv-mutation/bin/mutmut run --max-children 2
	.venv-mutation/bin/mutmut results

# The image's lock is a part of the first; `build.lock` has what compiles it.
lock: $(STAMP)  ## Pin every dependency to its newest version, with the hashes of its files.
	$(PIN) --upgrade $(LOCKED_EXTRAS) --output-file requirements.lock pyproject.toml
	$(PIN) --constraints requirements.lock --output-file deploy/image.lock pyproject.toml
	$(BIN)/python -c 'import tomllib; \
		print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' \
		| $(PIN) --constraints requirements.lock --output-file deploy/build.lock -

clean:  ## Remove what was built here.
	rm -rf $(VENV) .steplog .bench .mypy_cache .ruff_cache .pytest_cache .hypothesis build *.egg-info
	rm -f $(COMPILED)/*.so $(COMPILED)/compiled_from.sha256
