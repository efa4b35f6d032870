# Everything a checkout can do.  Each target does its own set-up, once: virtual environments in the tree,
# Debian packages through .ci/need, which says where root is needed.

PYTHON ?= python3
export PYTHON
MAKEFLAGS += --no-print-directory
VENVS := .venv .venv-debian13
TEST_EXTRAS := [tls,ssh,gpio,test]
DEV_EXTRAS := [tls,ssh,gpio,test,dev]
# Programs of the tests and of the benchmarks, as COMMAND:PACKAGE.
TEST_NEEDS := nc.openbsd:netcat-openbsd curl irssi weechat-headless \
	/usr/lib/*/weechat/plugins/fifo.so:weechat-plugins /usr/lib/*/faketime/libfaketime.so.1:libfaketime tmux chromium chromedriver:chromium-driver \
	mbpoll socat gpsdecode:gpsd-clients redis-server redis-cli:redis-tools node:nodejs npm /usr/bin/promtool:prometheus ssh-keygen:openssh-client
BENCH_NEEDS := redis-server mosquitto mosquitto_sub:mosquitto-clients gpsd upsd:nut-server influxd:influxdb victoria-metrics strace
# Folders too, whose date tells of a file taken away.
SOURCES := pyproject.toml setup.py README.md LICENSE $(shell find drivers gateway -not -name '*.pyc' -not -name __pycache__)
# The wheel's code is tested, not the tree's: the only path into the tree, for us and for the programs we start,
# leads to a folder that holds a link to tests/.
WHEEL := PYTHONPATH=$(CURDIR)/build/path PYTHONSAFEPATH=1 timeout --foreground 1200
PYTEST := -q --import-mode=importlib -o pythonpath=

.PHONY: help demo test check test-newest test-debian13 fresh bench fuzz soak soak-daemon devices clean
.DELETE_ON_ERROR:

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

demo: .venv/demo ## emulated devices on TCP 7600, HTTP 8080 and IRC 6667, until Ctrl-C
	@.venv/bin/gateway demo

# Both sets at once: most tests wait for a device, a client or a clock, and leave a core to the other.
test: check ## all tests, on the newest dependencies and on Debian 13's
	@$(MAKE) -j2 test-newest test-debian13

check: .venv/dev ## ruff, mypy, import arrows: quick
	.venv/bin/ruff check --quiet .
	.venv/bin/ruff format --quiet --check .
	.venv/bin/mypy --no-error-summary
	.venv/bin/pytest -q tests/test_imports.py

test-newest: .venv/dev build/programs
	@echo "Tests on the newest dependencies:"
	@$(WHEEL) .venv/bin/pytest $(PYTEST) --junitxml=build/newest.xml $(ARGS)

test-debian13: .venv-debian13/test build/programs
	@echo "Tests on the dependencies of Debian 13:"
	@$(WHEEL) .venv-debian13/bin/pytest $(PYTEST) --junitxml=build/debian13.xml $(ARGS)

fresh: ## demo and test as the README says, in a bare Debian 13 (as root)
	@.ci/need mmdebstrap
	@$(PYTHON) tests/fresh.py

bench: .venv/dev ## our figures beside those of redis, mosquitto, gpsd, NUT, InfluxDB and VictoriaMetrics
	@.ci/need $(BENCH_NEEDS)
	@.venv/bin/python -m tests.bench

fuzz: .venv/dev ## noise against the query port for a minute; SECONDS=3600 for an hour
	@.venv/bin/pip install -qq "atheris~=3.0"
	@.venv/bin/python -m tests.fuzz --seconds $(or $(SECONDS),60) $(ARGS)

soak: soak-daemon soak-power ## the long proofs, all of them, in half an hour (as root)

soak-daemon: .venv/dev ## what years do to a daemon, in ten minutes; SCALE=0.1 for one
	@.venv/bin/python -m tests.soak --scale $(or $(SCALE),1)

devices: .venv/dev ## docs/devices.md, the list of the drivers there are
	@.venv/bin/python -c 'from gateway import catalog, driver_page as p; print(*p.listed(catalog.shipped().values()), sep="\n")' >docs/devices.md

clean: ## back to a bare checkout
	rm -rf build $(VENVS) .mypy_cache .pytest_cache .ruff_cache *.egg-info
	find drivers gateway tests -name __pycache__ -prune -exec rm -rf {} +

$(VENVS:%=%/bin/pip):
	@.ci/need python3-venv
	@echo "Making $(@:%/bin/pip=%)"
	@$(PYTHON) -m venv $(@:%/bin/pip=%)

build/programs: Makefile
	@.ci/need $(TEST_NEEDS)
	@mkdir -p build/path && ln -sfn ../../tests build/path/tests
	@touch $@

# build/lib is setuptools' own and would keep what the tree has lost.
build/wheel: $(SOURCES) | .venv/bin/pip
	@echo "Building the wheel"
	@rm -rf build/lib build/bdist.* build/wheels
	@.venv/bin/pip wheel -qq --no-deps --wheel-dir build/wheels .
	@touch $@

# Twice: first what the wheel asks for, then the wheel itself, whose version has not changed.
define install
	@echo "Installing into $(1)"
	@$(1)/bin/pip install -qq $(3) "$$(echo build/wheels/*.whl)$(2)"
	@$(1)/bin/pip install -qq --no-deps --force-reinstall build/wheels/*.whl
	@touch $@
endef

.venv/demo: build/wheel
	@.ci/need nc.openbsd:netcat-openbsd
	$(call install,.venv)

.venv/dev: build/wheel
	$(call install,.venv,$(DEV_EXTRAS))

.venv-debian13/test: build/wheel tests/debian13.txt | .venv-debian13/bin/pip
	$(call install,.venv-debian13,$(TEST_EXTRAS),-c tests/debian13.txt)

# The package, the emulated boards and the SD card: docs/debian.md, docs/emulated.md, docs/card.md.

.PHONY: deb emulated soak-power image image-test
# As WHEEL and PYTEST, with the time that boards take.
EMULATED := PYTHONPATH=$(CURDIR)/build/path PYTHONSAFEPATH=1 timeout --foreground
BOARDS := .venv/bin/pytest $(PYTEST) -rP --show-capture=stdout -o faulthandler_timeout=600

deb: ## the Debian package, in dist/ (as root)
	@image/host.sh
	@image/deb.sh

build/path/tests: | .venv/dev
	@mkdir -p build/path && ln -sfn ../../tests $@

emulated: .venv/dev build/path/tests ## the package on emulated ARM boards, in ten minutes (as root)
	@image/host.sh
	@for tree in build system arm64 kernel; do image/tree.sh $$tree >/dev/null || exit 1; done
	@echo "Tests on emulated boards:"
	@$(EMULATED) 2700 $(BOARDS) --junitxml=build/emulated.xml tests/emulated $(ARGS)

soak-power: .venv/dev build/path/tests ## fifty power cuts of an emulated board, in a quarter of an hour (as root)
	@image/host.sh
	@CUTS=50 $(EMULATED) 7200 $(BOARDS) -o faulthandler_timeout=7200 tests/emulated/test_power.py $(ARGS)

image: ## the SD card image, in dist/ (as root): half an hour, and a few minutes from the second time on
	@image/host.sh
	@image/card.sh

image-test: .venv/dev build/path/tests ## the SD card image on emulated boards, started by its own systemd (as root)
	@image/host.sh
	@image/card-inputs.sh >build/card-inputs
	@FAST=1 image/card.sh
	@$(EMULATED) 3600 $(BOARDS) --junitxml=build/card.xml tests/card $(ARGS)
	@[ -n "$(ARGS)" ] || cp build/card-inputs tests/card/passed
