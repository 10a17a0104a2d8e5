# phone-emulator: `make run` and `make test` set everything up by themselves.
#
#   make run     the terminal phone in its embedded lab
#   make test    all tests, then every scenario in configs/
#   make check   lint, format, types, layers, generated pages, rules with a test
#   make quick   lint, and the unit tests of the packages that the change touches, in 20 seconds
#   make mutants small faults in the program, tried against its tests
#   make nightly the full numbers of every campaign
#   make bench   what the program costs on this machine, its SIP stack compiled where there is a C compiler
#   make test-compiled  the tests of the SIP stack, with the compiled one
#   make test-oldest, make test-newest   the unit tests with the ends of the ranges of pyproject.toml
#   make wheels  the wheel, installed and started on each Python that it is for
#   make coverage   which lines of which module no unit test reaches
#   make lock    writes requirements/ for pyproject.toml; with UPGRADE=1 the newest versions of all
#   make audit   looks the locked packages up for published holes, on the network
#   make licenses   the licences of what the program runs with; fails where one is not allowed
#   make peers   the phones and servers that are Python packages, for the integration tests
#   make lab     the embedded servers alone, for other phones to try
#   make clean   remove what the others made

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
# Where the package is installed as a wheel, its SIP stack compiled.
COMPILED := .venv-compiled
COMPILED_BIN := $(COMPILED)/bin
# Exact versions with their hashes; then the project alone, built by what they brought.
INSTALL := -m pip install --quiet --disable-pip-version-check
LOCKED := $(INSTALL) --require-hashes --requirement
PROJECT := $(INSTALL) --no-deps --no-build-isolation
# What makes the locks and finds the ends of the ranges.
UV := build/uv/bin/uv
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

.PHONY: run test test-compiled test-newest test-oldest check quick mutants nightly bench coverage wheels lab lock audit licenses peers clean

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
	$(BIN)/python scripts/steps --check
	$(BIN)/python scripts/rule_coverage
	$(BIN)/python scripts/key_effects --named

quick: $(VENV)/dev.stamp
	@$(BIN)/python scripts/quick

mutants: $(VENV)/dev.stamp
	@$(BIN)/python scripts/mutants

nightly: $(VENV)/dev.stamp
	@$(BIN)/python scripts/nightly

# The tools of the tests stay locked. What is installed is told before the tests, which need no server.
test-newest test-oldest: test-%: $(VENV)/dev.stamp $(UV)
	@scripts/install_end $(UV) $(BIN)/python $* build/$*
	build/$*/bin/python -m pytest -n auto --ignore tests/integration

# The tests that need servers are left out: what only they reach is to be seen. Lines, then branches, by module.
coverage: $(VENV)/dev.stamp
	@rm -rf build/coverage
	$(BIN)/coverage run -m pytest -n auto --ignore tests/integration
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report

wheels: $(VENV)/dev.stamp
	@scripts/wheels $(BIN)/python build/wheels

# Versions stay as they are where pyproject.toml allows them: UPGRADE=1 takes the newest.
lock: $(UV)
	@$(BIN)/python scripts/lock $(UV) $(if $(UPGRADE),--upgrade)

# As they are locked, each hash compared; nothing of them is installed.
audit: build/audit/stamp
	build/audit/bin/pip-audit --progress-spinner off --disable-pip --require-hashes \
		$(foreach name,run dev uv audit,--requirement requirements/$(name).txt)

licenses: $(VENV)/run.stamp
	@$(BIN)/python scripts/licenses

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

# A stamp is written last: what was interrupted is done again. What an older lock brought must not stay.
$(VENV)/venv.stamp: requirements/dev.txt
	@python=$$($(FIND_PYTHON)) && echo "make: setting up $(VENV) with $$python" && \
		"$$python" -m venv --clear $(VENV)
	@touch $@

# What is measured gets the fastest Python that can compile.
$(COMPILED)/venv.stamp: requirements/dev.txt requirements/bench.txt
	@any=$$($(FIND_PYTHON)) && python=$$("$$any" scripts/fastest_python $(or $(PHONE_PYTHON),$(PYTHONS) /usr/bin/python3)) && \
		python=$${python:-$$any} && echo "make: setting up $(COMPILED) with $$python" && \
		"$$python" -m venv --clear $(COMPILED)
	@touch $@

$(VENV)/run.stamp: pyproject.toml requirements/run.txt $(VENV)/venv.stamp
	@echo "make: installing what phone-emulator needs into $(VENV)"
	@$(BIN)/python $(LOCKED) requirements/run.txt
	@$(BIN)/python $(PROJECT) --editable .
	@touch $@

$(VENV)/dev.stamp: pyproject.toml requirements/dev.txt requirements/opus.txt $(VENV)/venv.stamp
	@echo "make: installing what phone-emulator, its tests and its checks need into $(VENV)"
	@$(BIN)/python $(LOCKED) requirements/dev.txt
	@$(BIN)/python $(LOCKED) requirements/opus.txt --no-build-isolation
	@$(BIN)/python $(PROJECT) --editable .
	@touch $@ $(VENV)/run.stamp

peers: build/peers/stamp

# Tests of those that cannot be installed here are skipped. What comes as source is built by what dev.txt brought.
build/peers/stamp: requirements/peers.txt $(VENV)/dev.stamp
	@echo "make: installing the phones and servers that are Python packages into build/peers"
	@$(BIN)/python -m venv --clear build/peers
	@{ $(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-build-isolation --require-hashes \
		--requirement requirements/peers.txt --wheel-dir build/peers/wheels && \
		build/peers/bin/python $(INSTALL) --no-deps build/peers/wheels/*.whl; } || \
		echo "make: not everything can be installed here that the phone is tested against" >&2
	@touch $@

$(UV): requirements/uv.txt $(VENV)/venv.stamp
	@$(BIN)/python -m venv --clear build/uv
	@build/uv/bin/python $(LOCKED) requirements/uv.txt
	@touch $@

build/audit/stamp: requirements/audit.txt $(VENV)/venv.stamp
	@$(BIN)/python -m venv --clear build/audit
	@build/audit/bin/python $(LOCKED) requirements/audit.txt
	@touch $@

$(COMPILED)/locked.stamp: $(COMPILED)/venv.stamp
	@echo "make: installing what phone-emulator, its tests and its benches need into $(COMPILED)"
	@$(COMPILED_BIN)/python $(LOCKED) requirements/dev.txt
	@$(COMPILED_BIN)/python $(LOCKED) requirements/bench.txt --no-build-isolation || \
		echo "make: not everything can be built here that the program is measured against" >&2
	@touch $@

# Without a C compiler it is measured as it is.
$(COMPILED)/stamp: pyproject.toml hatch_build.py $(shell find phone_emulator -name '*.py') $(COMPILED)/locked.stamp
	@echo "make: installing phone-emulator into $(COMPILED), its SIP stack compiled: a minute"
	@HATCH_BUILD_HOOK_ENABLE_CUSTOM=1 $(COMPILED_BIN)/python $(PROJECT) --force-reinstall . || { \
		echo "make: it cannot be compiled here, for the reason above; installing it as plain Python" >&2; \
		$(COMPILED_BIN)/python $(PROJECT) --force-reinstall .; \
	}
	@touch $@
