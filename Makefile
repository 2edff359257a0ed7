# make install   .venv with evolray and its tools at the versions of constraints.txt
# make demo      the paper in miniature: evolves arithmetic problems, trains students with and without them, compares them
#                (make demo FULL=1: a student per number of generations; TEACHER_BASE_URL and TEACHER_MODEL: your endpoint)
# make test      the fast tests        (slow ones: .venv/bin/python -m pytest -m slow)
# make lint      ruff and mypy
# make clean     removes what the above made; runs of your own stay

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.PHONY: install demo test lint clean

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin

install: .venv/installed

# pip says nothing for minutes when quiet and 300 lines when not. This is in between; all it says is in install.log.
.venv/installed: pyproject.toml constraints.txt
	@echo "Installing into .venv; the first time takes some minutes."
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --disable-pip-version-check --no-input --progress-bar off \
		-c constraints.txt -e ".[dev]" 2>&1 | tee .venv/install.log | while read -r first second rest; do \
			case "$$first $$second" in \
			Collecting*) found=$$(( $${found:-0} + 1 )); (( found % 20 )) || echo "  $$found packages found";; \
			"Installing collected") echo "  all found; unpacking";; \
			esac; \
		done || { grep -v ^WARNING .venv/install.log | tail -n 15; exit 1; }
	@touch $@
	@echo "Installed."

demo: install
	@$(BIN)/evolray demo conf/demo/ablation.yaml $(if $(FULL),conf/demo/full.yaml run=runs/demo-full,run=runs/demo)

test: install
	@$(BIN)/python -m pytest

lint: install
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache build dist *.egg-info runs/demo runs/demo-full
	find evolray jobs benchmarks tests -name __pycache__ -type d -prune -exec rm -rf {} +
