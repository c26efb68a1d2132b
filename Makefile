# Every target makes the environment that it needs: a bare machine with Python 3.11+ is enough.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# A CUDA machine takes its own build: make chat TORCH=torch
TORCH ?= torch==2.13.0
EXTRAS_VENV ?= .venv-extras
EXTRAS_BIN := $(EXTRAS_VENV)/bin
# What asks for packages that would replace some of the program's own comes without them.
WITHOUT_DEPENDENCIES := groundingdino-py==0.4.0 ultralytics ultralytics-thop
WHY_3_11 := llava-plus needs Python 3.11 or newer; name one with: make PYTHON=python3.12

.PHONY: help chat test test-gpu extras test-extras nano lint type all bench clean
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

# Several files at once, each process on one core. Plain `pytest` runs one test after the other.
test: $(VENV)/.installed  ## Run the tests
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist loadfile

test-gpu: $(VENV)/.installed  ## Run the tests that need an accelerator
	$(BIN)/pytest -m gpu

$(EXTRAS_VENV)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo '$(WHY_3_11)'; exit 1; }
	@echo 'Setting up $(EXTRAS_VENV): about 750 MB are downloaded and 2.5 GB unpacked, once.'
	$(PYTHON) -m venv $(EXTRAS_VENV)
	$(EXTRAS_BIN)/pip install --quiet --disable-pip-version-check '$(TORCH)' -e '.[data,dev,detectors,generation,owlv2,qlora,yolo]'
	$(EXTRAS_BIN)/pip install --quiet --disable-pip-version-check --no-deps $(WITHOUT_DEPENDENCIES)
	@touch $@

extras: $(EXTRAS_VENV)/.installed  ## Set up an environment with the models' extras; one holds AGPL code

test-extras: $(EXTRAS_VENV)/.installed  ## Run the extras' tests, and chat beside them
	$(EXTRAS_BIN)/pytest --extras -m extra tests/skills tests/model/train
	$(EXTRAS_BIN)/pytest tests/skills/test_backend_models.py tests/skills/test_diffusion.py tests/data_gen/export
	HF_HUB_OFFLINE=1 $(EXTRAS_BIN)/llava-plus chat ui/examples/grace_hopper.jpg -m 'Blur the face.' \
	  --out $(EXTRAS_VENV)/chat

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
	rm -rf $(VENV) $(EXTRAS_VENV) build dist *.egg-info
