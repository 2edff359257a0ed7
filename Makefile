# make install   .venv with evolray and its tools at the versions of constraints.txt
# make demo      evolves the packaged seeds of all three domains with the offline teacher
# make test      the fast tests        (slow ones: .venv/bin/python -m pytest -m slow)
# make lint      ruff and mypy
# make clean     removes what the above made; runs of your own stay

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.PHONY: install demo test lint clean

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
DOMAINS := open code math

install: .venv/installed

# pip says nothing for minutes when quiet and 300 lines when not; this is in between. Errors come through in full.
.venv/installed: pyproject.toml constraints.txt
	@echo "Installing into .venv; the first time takes some minutes."
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --disable-pip-version-check --no-input --progress-bar off \
		-c constraints.txt -e ".[dev]" | while read -r first second rest; do \
			case "$$first $$second" in \
			Collecting*) n=$$(( $${n:-0} + 1 )); (( n % 20 )) || echo "  $$n packages found";; \
			"Installing collected") echo "  unpacking";; \
			esac; \
		done
	@touch $@
	@echo "Installed."

demo: install
	@rm -rf $(DOMAINS:%=runs/demo-%)
	@for domain in $(DOMAINS); do \
		$(BIN)/evolray evolve conf/demo/$$domain.yaml run=runs/demo-$$domain; \
	done
	@for domain in $(DOMAINS); do echo; $(BIN)/evolray status runs/demo-$$domain; done
	@echo
	@$(BIN)/evolray show runs/demo-open

test: install
	@$(BIN)/python -m pytest

lint: install
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache build dist *.egg-info $(DOMAINS:%=runs/demo-%)
	find evolray jobs benchmarks tests -name __pycache__ -type d -prune -exec rm -rf {} +
