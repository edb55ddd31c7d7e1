# Needs Python 3.11 or newer and make, nothing else: the locked packages bring the rest, PostgreSQL and Redis included.
PYTHON ?= python3
BIN := .venv/bin
ARGS ?=
.DEFAULT_GOAL := help
.PHONY: help run test faults check fmt lock clean

help: ## Say what each target does
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile

run: .venv/runtime ## Serve the whole product on http://127.0.0.1:8000 until Ctrl-C; PORT=… and DATA_DIR=… override
	@$(BIN)/python manage.py serve

test: .venv/tools ## Run the tests; ARGS="-k spool" picks some
	@$(BIN)/python -m pytest $(ARGS)

faults: .venv/tools ## Kill and cut a running product, again and again, and print what was lost (half an hour)
	@FAULTS=full $(BIN)/python -m pytest -p no:xdist -q tests/faults

check: .venv/tools ## Lint, types, layers, templates, migrations, known vulnerabilities
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q -p no:xdist tests/test_layers.py
	find templates -name '*.html' -exec $(BIN)/djade --target-version 5.2 --check {} +
	$(BIN)/python manage.py check --fail-level WARNING
	DATA_DIR=var/test $(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python .ci/audit.py

fmt: .venv/tools ## Format the code and the templates
	$(BIN)/ruff check --fix --select I .
	$(BIN)/ruff format .
	find templates -name '*.html' -exec $(BIN)/djade --target-version 5.2 {} +

lock: .venv/tools ## Write requirements*.txt anew from requirements*.in; ARGS="-U" takes the newest versions
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header $(ARGS) requirements.in -o requirements.txt
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header $(ARGS) requirements-dev.in -o requirements-dev.txt

clean: ## Remove the environment, not the data
	rm -rf .venv

.venv/runtime: requirements.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed, and $(PYTHON) is " + sys.version.split()[0] + ": name another with make PYTHON=…")'
	@$(BIN)/python -c '' 2>/dev/null || $(PYTHON) -m venv --clear .venv || { echo 'Python cannot make an environment: install its venv module (Debian and Ubuntu: apt install python3-venv).'; exit 1; }
	@echo 'Installing the locked packages into .venv …'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

.venv/tools: .venv/runtime requirements-dev.txt
	@echo 'Installing the locked test packages into .venv …'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt -r requirements-dev.txt
	@touch $@
