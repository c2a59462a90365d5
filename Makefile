# Two commands matter: `make demo` (the main job on real weights) and `make check` (everything CI checks).
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo check lint types contracts test format clean

demo: $(VENV)/.demo
	$(BIN)/python -m examples.demo

check: lint types contracts test

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.test
	$(BIN)/mypy

contracts: $(VENV)/.test
	$(BIN)/lint-imports

test: $(VENV)/.test
	$(BIN)/pytest -n 2

format: $(VENV)/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(VENV)/pyvenv.cfg:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(VENV)/pyvenv.cfg pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[demo]'
	touch $@

$(VENV)/.test: $(VENV)/pyvenv.cfg pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[demo,test]'
	touch $@

clean:
	rm -rf $(VENV) build dist demo
