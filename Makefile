# `make` alone lists what there is. Works with GNU make 3.81 and later.
.DEFAULT_GOAL := help
.PHONY: help demo test lint lock clean set-up

BIN := .venv/bin

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' Makefile
	@echo
	@echo "  PHOTOS=folder   make demo: mask your own photos instead of sample people"
	@echo "  PYTHON=path     the Python 3.11 to set .venv up with"
	@echo "  ARGS='...'      more arguments for palette demo, or for pytest"
	@echo "  UPGRADE=1       make lock: newest versions that fit, instead of keeping what is locked"

set-up: ## fill .venv from requirements.lock (the others do it by themselves)
	@scripts/set-up

# PHOTOS reaches the shell through the environment, as it was typed: spaces, quotes and dollars need no care.
override PHOTOS := $(value PHOTOS)
demo: export PHOTOS := $(PHOTOS)
demo: set-up ## run the whole pipeline on sample people; with PHOTOS=folder, mask your own photos
	@if [ -n "$$PHOTOS" ]; then $(BIN)/palette demo --photos="$$PHOTOS" $(ARGS); else $(BIN)/palette demo $(ARGS); fi

# One thread a worker: with more, workers wait for each other's threads, and what takes 2 seconds takes 27.
# Files in the order of tests/conftest.py, slow ones first; xdist's own has the files of few tests last, slow or not.
test: set-up ## run the tests
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

lint: set-up ## ruff, mypy, import-linter, hadolint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/hadolint docker/Dockerfile

lock: set-up ## renew requirements.lock from pyproject.toml
	@UPGRADE='$(UPGRADE)' scripts/lock

clean: ## remove .venv, caches and the demo's output
	rm -rf .venv build *.egg-info demo-out out .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
