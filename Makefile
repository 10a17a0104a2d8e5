# phone-emulator: `make run` and `make test` set everything up by themselves.
#
#   make run     the terminal phone in its embedded lab
#   make test    all tests, then every scenario in configs/
#   make check   lint, format, types, layers, generated pages, rules with a test
#   make bench   what the program costs on this machine, its SIP stack compiled where there is a C compiler
#   make test-compiled  the tests of the SIP stack, with the compiled one
#   make lab     the embedded servers alone, for other phones to try
#   make clean   remove what the others made

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
# Where the package is installed as a wheel, its SIP stack compiled.
COMPILED := .venv-compiled
COMPILED_BIN := $(COMPILED)/bin
COMPILED_PIP = $(COMPILED_BIN)/python -m pip install --quiet --disable-pip-version-check '.[fast,bench,test]'
# Another name than PYTHON, which environments set to all kinds of things.
PHONE_PYTHON ?=

# The first Python that runs and is new enough; pyenv's shims exist for versions that do not run.
PYTHONS := python3.13 python3.12 python3.11 python3
FIND_PYTHON = for python in $(PHONE_PYTHON) $(PYTHONS); do \
	if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
		echo "$$python"; exit 0; \
	fi; \
	done; \
	echo "make: no Python 3.11 or later found ($(PYTHONS));" \
		"install one, or name it: make PHONE_PYTHON=/path/to/python3 run" >&2; \
	exit 1

.PHONY: run test test-compiled check bench lab clean

run: $(VENV)/run.stamp
	@$(BIN)/phone-emulator

lab: $(VENV)/run.stamp
	@$(BIN)/phone-emulator lab

test: $(VENV)/dev.stamp
	$(BIN)/pytest -n auto
	$(BIN)/phone-emulator run configs/

check: $(VENV)/dev.stamp
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/diagrams.py --check
	$(BIN)/python scripts/parameters --check
	$(BIN)/python scripts/rule_coverage
	$(BIN)/python scripts/key_effects --named

# Away from the source, which would be imported in place of what is installed.
test-compiled: $(COMPILED)/stamp
	@command -v gcc >/dev/null || { echo "make: test-compiled is skipped: there is no gcc" >&2; exit 0; }; \
	set -ex; rm -rf build/compiled; mkdir -p build/compiled; \
	cp -r pyproject.toml configs docs scripts tests build/compiled; cd build/compiled; \
	$(abspath $(COMPILED_BIN))/python -c \
		'from phone_emulator.sip import message as m; assert not m.__file__.endswith(".py"), m.__file__'; \
	$(abspath $(COMPILED_BIN))/pytest -n auto tests/sip tests/world tests/phone

bench: $(COMPILED)/stamp
	$(COMPILED_BIN)/python scripts/bench

clean:
	rm -rf $(VENV) $(COMPILED) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is written last: what was interrupted is done again.
$(VENV)/venv.stamp:
	@python=$$($(FIND_PYTHON)) && echo "make: setting up $(VENV) with $$python" && \
		"$$python" -m venv $(VENV)
	@touch $@

# What is measured gets the fastest Python that can compile.
$(COMPILED)/venv.stamp:
	@any=$$($(FIND_PYTHON)) && python=$$("$$any" scripts/fastest_python $(or $(PHONE_PYTHON),$(PYTHONS) /usr/bin/python3)) && \
		python=$${python:-$$any} && echo "make: setting up $(COMPILED) with $$python" && \
		"$$python" -m venv $(COMPILED)
	@touch $@

$(VENV)/run.stamp: pyproject.toml $(VENV)/venv.stamp
	@echo "make: installing what phone-emulator needs into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[fast]'
	@touch $@

$(VENV)/dev.stamp: pyproject.toml $(VENV)/venv.stamp
	@echo "make: installing what phone-emulator, its tests and its checks need into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[fast,test,check]'
	@touch $@ $(VENV)/run.stamp

# Without a C compiler it is measured as it is.
$(COMPILED)/stamp: pyproject.toml hatch_build.py $(shell find phone_emulator -name '*.py') $(COMPILED)/venv.stamp
	@echo "make: installing phone-emulator into $(COMPILED), its SIP stack compiled: a minute"
	@HATCH_BUILD_HOOK_ENABLE_CUSTOM=1 $(COMPILED_PIP) || { \
		echo "make: it cannot be compiled here, for the reason above; installing it as plain Python" >&2; \
		$(COMPILED_PIP); \
	}
	@touch $@
