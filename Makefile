# Every target makes the environment that it needs: a bare machine with Python 3.11+ is enough.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# A CUDA machine takes its own build: make chat TORCH=torch
TORCH ?= torch==2.13.0
WHY_3_11 := llava-plus needs Python 3.11 or newer; name one with: make PYTHON=python3.12

.PHONY: help chat test test-gpu nano lint type all bench clean
help:  ## Show what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo '$(WHY_3_11)'; exit 1; }
	@echo 'Setting up $(VENV): about 600 MB are downloaded and 2 GB unpacked, once.'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check '$(TORCH)' -e '.[dev]'
	@touch $@

chat: $(VENV)/.installed  ## Open the chat page
	$(BIN)/llava-plus ui

test: $(VENV)/.installed  ## Run the tests
	$(BIN)/pytest

test-gpu: $(VENV)/.installed  ## Run the tests that need an accelerator
	$(BIN)/pytest -m gpu

nano: $(VENV)/.installed  ## Train the bundled planner again, from its seed
	$(BIN)/python -m llava_plus.data_gen.nano --recipe recipes/nano.yaml

bench: $(VENV)/.installed  ## Measure the planner's time per step and the loop's overhead
	$(BIN)/python -m llava_plus.evals.bench

lint: $(VENV)/.installed  ## Check style and the direction of imports
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports

type: $(VENV)/.installed  ## Check types
	$(BIN)/mypy

all: lint type test  ## Everything that must be green before a change lands

clean:  ## Remove the environment and what was built
	rm -rf $(VENV) build dist *.egg-info
