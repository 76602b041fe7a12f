# Thin on purpose: the work is in tools/, so that the same commands run without make (README).
SHELL := /bin/sh
PORT ?= 8000
BIN := .venv/bin
RUN := $(BIN)/python -m
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
ADVICE := The packages are not installed; pip says above why. Check the network, then run the same command again.

.PHONY: help book test lab serve bench release clean

help:  ## list these targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1|/p' Makefile | awk -F'|' '{printf "%-15s %s\n", $$1, $$2}'

book: .venv/.installed-book  ## execute what changed and build the pages into _build/html
	@$(RUN) tools.book build

test: .venv/.installed-test  ## run every test: style, units, notebooks, pages in a browser, JupyterLab
	@$(RUN) tools.book test

lab: .venv/.installed-book  ## open the chapters in JupyterLab
	@$(RUN) tools.book lab

serve: .venv/.installed-book  ## serve the built book on this machine (PORT=8000)
	@$(RUN) tools.book serve --port $(PORT)

bench: .venv/.installed-bench  ## time helpers against other libraries (minutes; nothing else should run)
	@$(RUN) benchmarks

release: .venv/.installed-book  ## build the students' version of the assignments
	@$(RUN) tools.classroom release

clean:  ## remove everything that was built (the environment stays: rm -r .venv removes it)
	@rm -rf _build .pytest_cache .ruff_cache .import_linter_cache

.venv/.installed-book: pyproject.toml constraints.txt | .venv/.created
	@echo "Installing the book's packages into .venv (the first time takes minutes) ..."
	@$(PIP) -e '.[book]' || { echo "$(ADVICE)" >&2; exit 1; }
	@touch $@

.venv/.installed-test: .venv/.installed-book
	@echo "Installing what the tests need ..."
	@$(PIP) -e '.[book,test,export,tables]' || { echo "$(ADVICE)" >&2; exit 1; }
	@touch $@

.venv/.installed-bench: .venv/.installed-book
	@echo "Installing the libraries to compare with ..."
	@$(PIP) -e '.[book,bench]' || { echo "$(ADVICE)" >&2; exit 1; }
	@touch $@

.venv/.created:
	@python=$$(sh tools/pick_python.sh) && "$$python" -m venv .venv
	@touch $@
