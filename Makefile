# readlabel: set-up, checks and proofs. `make help` lists the targets.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
OUTDIR ?= results
DEVICE ?= 0
MINUTES ?= 10

# A pipe fails with any of its commands.
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c

export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: $(shell grep -oE '^[a-z-]+:' $(firstword $(MAKEFILE_LIST)) | tr -d :)
.DEFAULT_GOAL := help

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | awk -F '\t' '{printf "  make %-18s %s\n", $$1, $$2}'

setup: $(STAMP) ## Install everything into .venv, from the lock file

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "error: Python 3.11 is needed (tensorflow-addons has no later one); found $$($(PYTHON) --version). Try: make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Setting readlabel up in $(VENV), once; this takes a few minutes (TensorFlow alone is 0.5 GB)."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off --require-hashes -r requirements.lock | \
	    awk -v of="$$(grep -c '^[a-z].*==' requirements.lock)" \
	        '/^Collecting/ && ++found % 20 == 0 { print "  " found " of " of " packages"; fflush() } /^Installing/ { print "  installing them"; fflush() }'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
	@echo "readlabel is installed: \`source $(VENV)/bin/activate\` puts it on your PATH.$(if $(filter setup,$(or $(MAKECMDGOALS),setup)), Next: make run)"

run: $(STAMP) ## Train the demonstration grid; the report lands in results/
	./nextflow run . -profile demo --outdir $(OUTDIR)

test: $(STAMP) ## Every test: unit, service over real sockets, pipeline under real Nextflow
	$(BIN)/python -m pytest $(PYTEST_ARGS)

test-demo: $(STAMP) ## The demonstration grid: its best variant labels 97 % of bases, and -resume runs nothing (6 min)
	$(BIN)/python -m pytest -m demo tests/pipeline/test_demo.py $(PYTEST_ARGS)

test-service-faults: $(STAMP) ## Service and pipeline under kills, damaged uploads, full disks and slow readers (20 min)
	unshare --mount $(if $(filter-out 0,$(shell id -u)),--map-root-user) $(BIN)/python -m pytest $(PYTEST_ARGS) tests/service/faults tests/pipeline/faults

soak: $(STAMP) ## A seeded mix of trainings, kills, torn uploads and stalled readers: memory stays flat; MINUTES=10
	READLABEL_SOAK_MINUTES=$(MINUTES) $(BIN)/python -m pytest $(PYTEST_ARGS) tests/service/soak

test-clients: $(STAMP) ## The service with gRPC clients of others, and the client in docs/clients; needs Go 1.24
	tools/go-tools
	$(BIN)/python -m pytest -m clients tests/service/clients $(PYTEST_ARGS)

lint: $(STAMP) ## ruff, mypy, import-linter, buf, hadolint and the strict Nextflow parser
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/buf.py
	tools/nf-lint/lint main.nf nextflow.config conf modules
	$(BIN)/hadolint containers/*/Containerfile
	$(BIN)/kubernetes-validate --kubernetes-version 1.29 --strict --quiet --no-warn containers/kubernetes/*.yaml

format: $(STAMP) ## Format the Python code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test-extras: $(STAMP) ## Import each room with its own extra alone, in an environment of its own
	$(BIN)/python tools/check_extras.py

bench-engine: $(STAMP) ## Bases trained a second and the CRF, against training as users have it; build/bench/engine.json
	$(BIN)/python benchmarks/engine.py $(BENCH_ARGS)

bench-simulator: $(STAMP) ## Bases simulated a CPU-second, against plain Python, and over cores; build/bench/simulator.json
	$(BIN)/python benchmarks/simulator.py $(BENCH_ARGS)

bench-label: $(STAMP) ## Memory of labelling 100,000 reads, against a fifth of them; build/bench/label.json
	$(BIN)/python benchmarks/label.py

bench-memory: $(STAMP) ## Bytes a base that a training step takes, and what batches in parts cost; build/bench/memory.json
	$(BIN)/python benchmarks/memory.py

bench-quality: $(STAMP) ## Accuracy on reads never seen by schedule, three seeds, and what is still wrong; build/bench/quality.json
	$(BIN)/python benchmarks/quality.py $(BENCH_ARGS)

bench-scaling: $(STAMP) ## Seconds an epoch over 1k, 10k and 100k reads, and a worker's start-up; build/bench/scaling.json
	$(BIN)/python benchmarks/scaling.py

bench-service: $(STAMP) ## Latency, throughput and memory of the service, queue and watchers; build/bench/service.json
	$(BIN)/python benchmarks/service.py $(BENCH_ARGS)

bench-pipeline: $(STAMP) images ## Seconds that pipeline and service add to a training, and a stub run of 1,000; build/bench/pipeline.json
	containers/engine $(BIN)/python benchmarks/pipeline.py $(BENCH_ARGS)

check-gpu: $(STAMP) ## Compare this machine's GPU with its CPU; make check-gpu DEVICE=0+1 for two together
	$(BIN)/readlabel check-device --device $(DEVICE)

stubs: $(STAMP) ## Generate services/readlabel/v1 from proto/
	$(BIN)/python tools/generate_stubs.py

images: ## Build the images client, data and trainer into build/containers; BASE_IMAGE=, EXTRA=gpu
	containers/build

test-containers: $(STAMP) images ## The pipeline and the service in containers, under podman and docker
	tools/require dockerd=docker.io docker=docker.io
	containers/engine $(BIN)/python -m pytest -m containers tests/pipeline/containers $(PYTEST_ARGS)

test-slurm: $(STAMP) images ## The pipeline under Slurm, which is started on this machine, with and without containers
	tools/require sbatch=slurm-wlm munged=munge
	containers/engine $(BIN)/python -m pytest -m slurm tests/pipeline/slurm $(PYTEST_ARGS)

lock: $(STAMP) ## Resolve the lock files anew
	tools/lock

clean: ## Remove what was built; results/ stays
	rm -rf $(VENV) build work .nextflow .nextflow.log*
