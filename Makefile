# Every chore, one line each. `make demo` and `make test` set up all they need.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
SHELL  := /bin/bash
.SHELLFLAGS := -o pipefail -c

# Images often forbid Python to keep what it compiled; each process of the tests would compile everything anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help env demo train-default test test-fast lint types contracts check bench peers docs-check lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

env: $(VENV)/.installed ## the environment, from the lock

$(VENV)/.installed: requirements/dev.txt requirements/bootstrap.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/bootstrap.txt
	VIRTUAL_ENV=$(VENV) $(BIN)/uv pip sync --quiet --compile-bytecode --require-hashes requirements/dev.txt \
	  || $(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.txt
	VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --offline --editable . \
	  || $(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo: env ## verdicts of the shipped detector on examples/, with overlays
	rm -rf demo
	mkdir demo
	$(BIN)/tumorscan predict examples/examples.csv --overlay demo/overlays | tee demo/verdicts.txt
	@echo
	@echo "table:    demo/verdicts.txt      what each picture is: examples/examples.csv"
	@echo "overlays: demo/overlays/"
	@echo "page:     $(BIN)/tumorscan app    then open http://127.0.0.1:7860"

DATA    ?= ../shared/data
WEIGHTS ?= ../shared/weights/resnet50v2_imagenet_conv1_conv4.npz
RUN     ?= runs/default
SEED    ?= 1

train-default: env ## the shipped model's training again, from the pictures in DATA: 50 minutes to two hours on two cores, resumable
	$(BIN)/tumorscan train $(DATA)/figshare.csv $(DATA)/kaggle253 $(DATA)/no_tumor --preset evidence \
	  --weights $(WEIGHTS) --test-where fold=5 --set evidence.seed=$(SEED) --out $(RUN)
	$(BIN)/tumorscan gate $(RUN) --fit $(RUN)/split.csv --negatives $(DATA)/not_brain_mri
	$(BIN)/tumorscan tumor-type $(RUN) $(DATA)/figshare.csv --fit --fold 5

bench: env ## side by side with the original's way and detect-tumor; engines, training, copies
	$(BIN)/python benchmarks/runtime.py
	$(BIN)/python benchmarks/engines.py --write
	$(BIN)/python benchmarks/steps.py --write
	$(BIN)/python benchmarks/serve.py --write
	$(BIN)/python benchmarks/prepare.py
	$(BIN)/python benchmarks/training.py
	$(BIN)/python benchmarks/duplicates.py --one-size 10000
	$(BIN)/python benchmarks/duplicates.py --one-size 100000

peers: env ## the packages of the registry beside our bundle, on ../shared/data
	$(BIN)/python benchmarks/peers/score.py

JOBS    ?= 2
# `make test COVER=--cov`: what the tests run, measured; they take a third longer.
COVER   ?=

test: env ## all tests (those on real images run where ../shared/data is)
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --durations=30 $(COVER)

test-fast: env ## the tests that take seconds
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile -m "not slow and not browser"

lint: env ## ruff: style, bugs, docstrings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: env ## mypy, strict
	$(BIN)/mypy

contracts: env ## imports go one way
	$(BIN)/lint-imports

docs-check: env ## run the commands of README.md and docs/
	$(BIN)/python tools/docs_check.py

check: lint types contracts test ## everything that .ci/run asks

lock: env ## write the lock anew
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
	  --generate-hashes --no-header --no-emit-index-url --quiet -o requirements/dev.txt

clean: ## what was built
	rm -rf $(VENV) demo dist .mypy_cache .ruff_cache .pytest_cache .hypothesis htmlcov .coverage
