# The package and the emulated boards: docs/debian.md, docs/emulated.md.

.PHONY: deb emulated soak soak-power
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
	@$(EMULATED) 1800 $(BOARDS) --junitxml=build/emulated.xml tests/emulated $(ARGS)

soak: soak-power

soak-power: .venv/dev build/path/tests ## fifty power cuts of an emulated board, in twenty minutes (as root)
	@image/host.sh
	@CUTS=50 $(EMULATED) 7200 $(BOARDS) -o faulthandler_timeout=7200 tests/emulated/test_power.py $(ARGS)
