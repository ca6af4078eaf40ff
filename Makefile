# Two targets are all that most people need: `make demo` and `make test`. Both set up what they use.

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

# The first Python that is new enough; `make PYTHON=/path/to/python3.12 ...` takes another one.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python3.14; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$python; break; }; done)

# On Linux the torch of PyPI carries CUDA (5.7 GB). TORCH_INDEX=URL takes torch from an index of CPU-only builds instead;
# PyTorch's installation page names it.
TORCH_INDEX =

# The demo: how many events (all if empty), which strategy, which seed; and which broker in place of our own: a running
# Kafka (HOST:PORT), or `embedded` for plain files.
EVENTS =
STRATEGY =
SEED =
BROKER =
DEMO_ARGUMENTS = $(if $(EVENTS),--events $(EVENTS)) $(if $(STRATEGY),--strategy $(STRATEGY)) $(if $(SEED),--seed $(SEED)) \
	$(if $(BROKER),$(if $(findstring :,$(BROKER)),--bootstrap-servers,--broker) $(BROKER))

PYTEST_ARGUMENTS =

.PHONY: help setup demo test lint bench docs clean

help:
	@echo "make demo    run the whole thing on real data: EVENTS=10000 STRATEGY=replace SEED=1 BROKER=host:port"
	@echo "make test    run all tests"
	@echo "make lint    check style and types"
	@echo "make docs    render the documentation as a site, into build/docs"
	@echo "make bench   measure events per second beside what the machine could do"
	@echo "make setup   only install, into $(VENV); PYTHON=python3.12 TORCH_INDEX=url"
	@echo "make clean   remove $(VENV) and build"

setup: $(INSTALLED)

# An installation that was cut short leaves no mark, and is begun again.
$(INSTALLED): pyproject.toml
	@if [ -z "$(PYTHON)" ]; then \
		echo "No Python 3.11 or newer was found. Install one, or name one: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; \
		exit 1; fi
	@if [ ! -x $(BIN)/pip ]; then \
		rm -rf $(VENV); \
		$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
			echo "$(PYTHON) cannot make a virtual environment. On Debian and Ubuntu: apt-get install python3-venv" >&2; \
			exit 1; }; fi
	$(BIN)/pip install --quiet --disable-pip-version-check uv
	$(if $(TORCH_INDEX),$(BIN)/uv pip install --python $(BIN)/python --index-url $(TORCH_INDEX) torch)
	@# uv is several times faster than pip, but does not read pip's configuration, where a mirror may be named.
	$(BIN)/uv pip install --python $(BIN)/python --editable '.[dev]' || \
		$(BIN)/pip install --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: $(INSTALLED)
	$(BIN)/stream demo $(DEMO_ARGUMENTS)

test: $(INSTALLED)
	$(BIN)/python -m pytest $(PYTEST_ARGUMENTS)

lint: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: $(INSTALLED)
	$(BIN)/stream bench speed

# The site generator is needed by nobody else, so it is installed for this alone.
docs: $(INSTALLED)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --editable '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet --config-file .mkdocs.yml
	@echo "build/docs/index.html"

clean:
	rm -rf $(VENV) build
