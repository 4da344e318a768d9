# Every target sets up what it needs: Python 3.11, make and git are enough.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
WORK_ORDERS ?=
CHAOS ?=
PORT ?= 8080
# Most of these tests wait for a server of their own, so that three keep two cores busy; those of Airflow work.
WORKERS ?= 3
MATRIX ?= 3.1 3.2
# Of these, the oldest is tried in every run of `make test`.
OLDEST := $(firstword $(MATRIX))
SMOKE := test_retries or test_provider_info or goes_from_folder or spends_no_retries or retry_goes_on \
  or leaves_or_cancels or kept_in_an_object_store

# How often a failed test is tried again; `make test` itself forgives nothing.
RERUNS ?= 0
PYTEST = $(BIN)/python -m pytest --reruns $(RERUNS) -r fER

# What measures CPU wants the machine for itself, and what starts Airflow's processes starts four at a time.
COSTS := tests/airflow/test_imports.py
STACKS := tests/airflow/test_real_airflow.py tests/airflow/test_real_webhooks.py tests/crash

export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := test
.PHONY: setup demo test test-fast crash matrix smoke airflow mock lint format docs pictures openapi images bench bench-archives \
  readers debian-packages vendor-client clients integrations clean

$(VENV)/.ready: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[airflow,mock,gcs,parquet,report]' --group test --group lint --group docs
	touch $@

setup: $(VENV)/.ready  ## Make the environment in .venv.

demo: setup  ## A batch end to end on a real Airflow against the embedded mock; WORK_ORDERS=path takes your folder, CHAOS=1 hurts it.
	$(BIN)/python -m tests.demo.run $(if $(WORK_ORDERS),--work-orders '$(WORK_ORDERS)') $(if $(CHAOS),--chaos)

airflow: setup  ## Leave a real Airflow UI and the mock running, with the connection in place.
	$(BIN)/python -m tests.demo.serve --port $(PORT)

mock: setup  ## Start the mock server.
	$(BIN)/visionbatch-mock serve --port $(PORT)

lint: setup  ## Style, types and the table of rooms.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint debian-packages  ## Everything that CI runs.
	$(PYTEST) -m 'not airflow and not readers and not vendor' -n $(WORKERS)
	$(PYTEST) $(COSTS)
	$(PYTEST) tests/airflow -m 'airflow and not slow' -n 2 --dist loadfile \
	  $(patsubst %,--ignore=%,$(COSTS) $(STACKS))
	$(PYTEST) $(STACKS) -m 'airflow and not slow'
	$(MAKE) telling-$(OLDEST)

readers: setup  ## Every reader on archives of many gigabytes, and Java.
	.ci/install-debian-packages openjdk-17-jdk-headless
	CI=1 $(BIN)/python -m pytest -m readers

vendor-client: setup .venv-inference/.ready  ## Roboflow's own client against the mock.
	CI=1 $(BIN)/python -m pytest tests/foreign/test_vendor_client.py

# The constraints name all that is installed; what the client wants but never imports is left out.
.venv-inference/.ready: constraints-inference.txt
	test -x .venv-inference/bin/python || $(PYTHON) -m venv .venv-inference
	PIP_CONSTRAINT= .venv-inference/bin/python -m pip install --quiet --no-deps --requirement constraints-inference.txt
	touch $@

clients: setup .venv-node/.ready  ## Google's client for Node against the mock; other clients are in every run of the tests.
	CI=1 $(BIN)/python -m pytest tests/foreign/test_node_client.py

# The last version for Node 18, which Debian has; what it depends on is as it was on that day.
.venv-node/.ready: Makefile
	command -v npm >/dev/null || .ci/install-debian-packages nodejs npm
	npm install --prefix .venv-node --no-save --no-package-lock --no-audit --no-fund --ignore-scripts --loglevel error \
	  --before 2026-11-01 @google-cloud/storage@7.22.0
	touch $@

integrations: setup .venv-workflows/.ready  ## The examples for Dagster and Prefect, by these tools themselves.
	CI=1 $(BIN)/python -m pytest tests/integrations

.venv-workflows/.ready: constraints-workflows.txt pyproject.toml
	test -x .venv-workflows/bin/python || $(PYTHON) -m venv .venv-workflows
	PIP_CONSTRAINT=constraints-workflows.txt .venv-workflows/bin/python -m pip install --quiet --editable . dagster prefect
	touch $@

debian-packages:  ## Install what tests need of Debian, where it is missing; no server of it is left running.
	.ci/install-debian-packages

crash: setup debian-packages  ## The whole table of kills, on real Airflow processes.
	CRASH_TABLE=$(CURDIR)/.demo/crash.md $(BIN)/python -m pytest tests/crash -m airflow

matrix: $(MATRIX:%=matrix-%)  ## The Airflow tests and the demo on the older versions of Airflow that are supported.

matrix-%: .venv-%/.ready
	.venv-$*/bin/python -m pytest tests/airflow
	.venv-$*/bin/python -m tests.demo.run --home .demo/airflow-$*

smoke: $(MATRIX:%=smoke-%)  ## What tells most about those versions in little time.

# What hangs on the version: whole tasks, their retries and their record, and what Airflow knows of the provider. The
# other Airflow tests run on them in `make matrix`.
telling-%: .venv-%/.ready
	.venv-$*/bin/python -m pytest --reruns $(RERUNS) -r fER tests/airflow/test_retries.py tests/airflow/test_provider_info.py \
	  tests/airflow/test_operator.py -k '$(SMOKE)'

# The same, and the demo's four processes.
smoke-%: telling-%
	.venv-$*/bin/python -m tests.demo.run --home .demo/airflow-$*

.PRECIOUS: .venv-%/.ready

# Those versions have constraints of their own: the newest libraries do not suit all of them.
.venv-%/.ready: pyproject.toml constraints-%.txt
	test -x .venv-$*/bin/python || $(PYTHON) -m venv .venv-$*
	PIP_CONSTRAINT= .venv-$*/bin/python -m pip install --quiet --upgrade pip
	PIP_CONSTRAINT=constraints-$*.txt .venv-$*/bin/python -m pip install --quiet --editable '.[airflow,mock,gcs]' --group test
	touch $@

test-fast: setup  ## The tests that need no Airflow.
	$(BIN)/python -m pytest -m 'not airflow and not readers and not vendor' -n $(WORKERS) -q

openapi: setup  ## Thousands of made-up calls of each of the mock's services, held against its document; CALLS=number for each.
	MADE_UP_CALLS=$(or $(CALLS),100) $(BIN)/python -m pytest tests/mock/test_openapi.py --timeout 2400

docs: setup  ## Build the site in build/docs; warnings are errors.
	$(BIN)/python -m sphinx -W --keep-going docs build/docs

pictures: setup  ## Photograph the mock's dashboard, a report and Airflow's UI for the manual; needs Chromium.
	$(BIN)/python docs/pictures/make.py
	$(BIN)/python docs/pictures/report.py
	$(BIN)/python -m docs.pictures.airflow

images:  ## Build the images of docker/ without a container engine, and try them; BASE_IMAGE=name for another base.
	.ci/install-debian-packages buildah crun debootstrap
	docker/build-images

bench: setup  ## Measure the product beside its peers.
	$(BIN)/python -m pip install --quiet --group bench
	$(BIN)/python -m benchmarks.upload
	$(BIN)/python -m benchmarks.triggers --watchers 1000
	$(BIN)/python -m benchmarks.export_download
	$(BIN)/python -m benchmarks.export_tables
	$(BIN)/python -m benchmarks.mock

bench-archives: setup  ## The goals for archives, beside what else makes and sends them; DOCUMENTED=path to the vendor's script.
	$(BIN)/python -m pip install --quiet --group bench
	$(BIN)/python -m benchmarks.archive $(if $(DOCUMENTED),--documented '$(DOCUMENTED)')

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .venv-* .demo .airflow build dist .pytest_cache .mypy_cache .ruff_cache
