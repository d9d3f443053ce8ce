# Needs make and Python 3.11 or newer; everything else is fetched into .venv/ and .local/.
#
#   make run            serve everything on this machine (PORT=8000, EDGE_PORT=8001)
#   make test           all tests; one of them: make test ARGS="-k words tests/messaging"
#   make check          lint, types, layers, migrations, deployment settings
#   make fmt            format the code
#   make bench          all benchmarks; one of them: make bench-send
#   make faults         the fault tests in their long form
#   make assets         fetch the front-end files where they changed
#   make secrets        print new secrets for a production installation

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
LOCAL := $(PY) -m smsplatform.local
STAMP := $(VENV)/.requirements
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run test check fmt assets secrets bench faults

help:
	@sed -n 's/^#   //p' Makefile

run: $(STAMP)
	$(LOCAL) run --stop-with-parent $(ARGS)

test: $(STAMP)
	$(LOCAL) test $(ARGS)

faults: $(STAMP)
	$(LOCAL) test -m faults --long -s --timeout 1800 $(ARGS)

check: $(STAMP)
	$(LOCAL) check

fmt: $(STAMP)
	$(PY) -m ruff check --fix
	$(PY) -m ruff format

assets: $(STAMP)
	$(LOCAL) assets

secrets: $(STAMP)
	@$(LOCAL) secrets

bench: $(STAMP)
	$(LOCAL) bench

bench-%: $(STAMP)
	$(LOCAL) bench $*

# The stamp is newer than the pins it was made from; a changed pin installs again.
$(STAMP): requirements.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	"Textledger needs Python 3.11 or newer; this is " + sys.version.split()[0] + \
	". Name a newer one: make PYTHON=python3.12 $(MAKECMDGOALS)")'
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@echo "Installing the packages; a minute or two, the first time ..."
	@$(PY) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $(STAMP)
