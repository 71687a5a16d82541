# `make app` serves the dashboard, `make test` runs every test; both start from nothing and can be
# repeated: what is there already is kept.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: app test lint format benchmarks clean help

help:
	@echo "make app         the dashboard at http://127.0.0.1:8501"
	@echo "make test        every test"
	@echo "make lint        ruff, mypy and the arrows between the rooms"
	@echo "make format      let ruff format the code"
	@echo "make benchmarks  speed and memory, as ratios within one run"
	@echo "make clean       remove the virtual environment and caches"

app: $(VENV)/.app
	@echo ">> dashboard at http://127.0.0.1:8501 (end it with Ctrl-C)"
	$(BIN)/streamlit run app/main.py

test: $(VENV)/.dev
	@echo ">> running all tests"
	$(BIN)/python -m pytest

lint: $(VENV)/.dev
	@echo ">> ruff, mypy, import-linter"
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

benchmarks: $(VENV)/.dev
	$(BIN)/python -m benchmarks all

$(VENV)/bin/python:
	@echo ">> making the virtual environment in $(VENV)"
	$(PYTHON) -m venv $(VENV)

$(VENV)/.app: $(VENV)/bin/python requirements.txt pyproject.toml
	@echo ">> installing requirements.txt into $(VENV)"
	$(BIN)/python -m pip install -q --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.dev: $(VENV)/.app requirements-dev.txt
	@echo ">> installing requirements-dev.txt into $(VENV)"
	$(BIN)/python -m pip install -q --disable-pip-version-check -r requirements-dev.txt
	@if command -v npm >/dev/null; then echo ">> installing axe-core for the accessibility tests"; \
	  npm install --silent --no-save --no-package-lock --prefix $(VENV) axe-core@4.14.1; fi
	@touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache *.egg-info
