# Works on a machine that has only Python (with venv) and make; everything else is fetched.

PYTHON ?= python3
NOX = .venv/bin/nox
# Given to nox, for example: make test ARGS="-- -x tests/contract"
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo outbox test mariadb servers lint types clean

help: ## Say what there is to make
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST)

demo: $(NOX) ## Run a queue on an SQLite database, with real input
	$(NOX) -s demo $(ARGS)

outbox: $(NOX) ## Relay an outbox by three processes, one of which is killed
	$(NOX) -s outbox $(ARGS)

test: $(NOX) ## Run the whole suite on SQLite, PostgreSQL and MySQL
	$(NOX) -s sqlite postgres mysql $(ARGS)

mariadb: $(NOX) ## Run the whole suite on MariaDB, with and without SKIP LOCKED
	$(NOX) -s mariadb $(ARGS)

servers: $(NOX) ## Fetch, start and kill every database server
	$(NOX) -s servers $(ARGS)

lint: $(NOX) ## Check style and format
	$(NOX) -s lint $(ARGS)

types: $(NOX) ## Check types
	$(NOX) -s types $(ARGS)

clean: ## Remove environments and caches of this folder
	rm -rf .venv .nox .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist

$(NOX):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	    { echo "Python 3.10 or later is needed, as python3 on PATH or as make PYTHON=..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	    { echo "This Python cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet "nox[uv]>=2025.5.1"
	@touch $(NOX)
