# Two commands matter: `make demo` (the main job on real weights) and `make check` (everything CI checks).
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

# Compiled modules are kept: the tests start hundreds of processes.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo check lint types contracts test compat goldens format clean

demo: $(VENV)/.demo
	$(BIN)/python -m examples.demo

check: lint types contracts test compat

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.test
	$(BIN)/mypy

contracts: $(VENV)/.test
	$(BIN)/lint-imports

test: $(VENV)/.test
	$(BIN)/pytest -n 2

# Every Python on this machine, the lowest and the newest dependencies: docs/compatibility.md.
compat: $(VENV)/.test
	$(BIN)/python tests/environments/matrix.py

# The golden files of this version, as long as it is not released: tests/golden/README.md.
goldens: $(VENV)/.test
	PYTHONPATH=tests $(BIN)/python -m golden.make

format: $(VENV)/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(VENV)/.demo: pyproject.toml
	$(PYTHON) tests/environments/install.py $(VENV) --extras demo
	touch $@

$(VENV)/.test: pyproject.toml
	$(PYTHON) tests/environments/install.py $(VENV) --extras demo,test
	touch $@

clean:
	rm -rf $(VENV) .cache/environments build dist demo
