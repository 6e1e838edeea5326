# KEMER's two commands are `make demo` and `make test`; each brings what it needs.
# The rest is for those who work on the project.

PYTHON ?= python3
SEEDS ?= 0
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: demo test check browser format setup clean

demo: setup
	$(BIN)/python -m kemer.demo --output outputs/demo --seeds $(SEEDS)

test: setup check browser
	$(BIN)/python -m pytest

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# The tests of the demo's page drive a Chromium: the system's, or one that Playwright brings.
browser: setup
	@command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1 || \
		sh setup.sh browser

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

setup: $(INSTALLED)

$(INSTALLED): constraints.txt setup.cfg pyproject.toml
	@PYTHON="$(PYTHON)" sh setup.sh
	@touch $@

clean:
	rm -rf .venv outputs .pytest_cache .ruff_cache *.egg-info build
