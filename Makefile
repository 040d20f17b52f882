# Each target sets up .venv from requirements.lock by itself, once.
PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/installed.stamp
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow test-jax check notebooks notebooks-outputs benchmarks lock clean

help:
	@echo "make demo        train, evaluate and export the text model, then ask the export for text"
	@echo "make test        every test that takes seconds, 12 to 25 minutes on 2 cores"
	@echo "make test-slow   those that train, kill, serve or browse as a person would"
	@echo "make test-jax    the tests of the layers on Keras's JAX backend"
	@echo "make check       ruff (lint and format) and mypy"
	@echo "make notebooks   run every notebook on its tiny preset"
	@echo "make notebooks-outputs  run them on their default presets and store plots, tables and sounds"
	@echo "make benchmarks  compare speed with peers, a table for each (installs PyTorch beside)"
	@echo "make lock        write requirements.lock anew from pyproject.toml"
	@echo "make clean       remove .venv and the caches; runs/ and exports/ stay"

# A stamp and not the folder's own date: an installation that broke off is done again.
# Lint or test settings in pyproject.toml need no new environment, and dependencies go by the lock.
$(STAMP): requirements.lock
	@$(PYTHON) -c "import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))" 2>/dev/null || \
		{ echo "error: '$(PYTHON)' is missing or is not Python 3.11 to 3.13 (found: $$($(PYTHON) --version 2>&1)); say which to take: make PYTHON=python3.11" >&2; exit 2; }
	@$(PYTHON) -c "import ensurepip, venv" 2>/dev/null || \
		{ echo "error: '$(PYTHON)' cannot create virtual environments; on Debian and Ubuntu: apt install python3-venv" >&2; exit 2; }
	@echo "setting up $(VENV) from requirements.lock, once; this takes some minutes"
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

$(VENV): $(STAMP)

# Three steps, each left out when its result is there: a second `make demo` only asks for text.
DEMO_RUN := runs/text_generation
DEMO_EXPORTS := exports/text_generation
DEMO_PROMPT ?= In the beginning
newest_export = ls -d $(DEMO_EXPORTS)/[0-9]* 2>/dev/null | grep -E '/[0-9]+$$' | sort -V | tail -n 1

demo: $(STAMP)
	@if [ -f $(DEMO_RUN)/metrics.json ] && [ -f $(DEMO_RUN)/model.keras ]; \
	then echo "$(DEMO_RUN) holds a finished run: not trained again (remove the folder to start afresh)"; \
	else $(BIN)/python -m apps.text_generation.train --preset default --run $(DEMO_RUN); fi
	@newest=$$($(newest_export)); \
	if [ -n "$$newest" ] && [ "$$newest/saved_model.pb" -nt $(DEMO_RUN)/model.keras ]; \
	then echo "$$newest holds this run's model: not exported again"; \
	else $(BIN)/python -m apps.text_generation.export --run $(DEMO_RUN) --to exports; fi
	@newest=$$($(newest_export)); \
	echo; echo "The exported model continues \"$(DEMO_PROMPT)\":"; echo; \
	$(BIN)/python -m apps.text_generation.predict --model "$$newest" "$(DEMO_PROMPT)"; \
	status=$$?; [ $$status -eq 0 ] || exit $$status; \
	echo; echo "report: $(DEMO_RUN)/report.html"; echo "model:  $$newest"; \
	echo "again:  python -m apps.text_generation.predict --model $$newest \"your own beginning\""

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# A whole run of pytest starts the layers' tests on other backends by itself; here those on JAX have
# a target of their own, and run once.
ON_JAX := tests/lstm_layers/backends/test_other_backends.py::test_every_layer_is_right_there[jax]

test: $(STAMP)
	$(BIN)/python -m pytest -n auto --dist loadfile -m "not notebook and not slow"

# A file's tests stay with one worker here too: they share runs and servers that take long to make.
# MINUTES=30 skips those whose turn comes later, and counts them.
test-slow: $(STAMP)
	$(BIN)/python -m pytest -n auto --dist loadfile -m "slow and not notebook" --deselect "$(ON_JAX)" \
		$(if $(MINUTES),--minutes $(MINUTES))

test-jax: $(STAMP)
	KERAS_BACKEND=jax $(BIN)/python -m pytest -n auto tests/lstm_layers/backends

notebooks: $(STAMP)
	$(BIN)/python -m pytest -n auto -m notebook tests/notebooks

# make notebooks-outputs NAMES="tagging translation" RUNS="tagging=runs/tagging"
notebooks-outputs: $(STAMP)
	$(BIN)/python -m notebooks.outputs $(NAMES) $(if $(RUNS),--run $(RUNS))

# The peers are no part of the lock: nobody needs PyTorch to train, test or serve.
benchmarks: $(STAMP)
	$(BIN)/python -m pip install --quiet --no-build-isolation --editable ".[benchmarks]"
	@set -e; for name in layers layers_cost timing_task speech_features; do \
		echo "== benchmarks/$$name.py"; $(BIN)/python benchmarks/$$name.py; done

lock: $(STAMP)
	$(BIN)/uv pip compile --universal --generate-hashes --no-emit-index-url --no-header \
		--extra dev --output-file requirements.lock pyproject.toml

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache
	find apps lstm_layers datasets tests benchmarks notebooks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
