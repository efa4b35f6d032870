# The package and the emulated boards: docs/debian.md, docs/emulated.md.  Large downloads are kept outside of the tree.

.PHONY: deb emulated soak
# Twice as long as any of these tests lets a board take.
EMULATED := $(PYTEST) .venv/bin/pytest -q -rP --show-capture=stdout --import-mode=importlib -o pythonpath= -o faulthandler_timeout=600

deb: ## the Debian package, in dist/ (as root)
	@image/host.sh
	@image/deb.sh

emulated: build/dev ## the package on emulated ARM boards, below ten minutes (as root)
	@image/host.sh
	$(EMULATED) --junitxml=build/emulated.xml tests/emulated $(ARGS)

soak: build/dev ## fifty power cuts (as root)
	@image/host.sh
	CUTS=50 $(EMULATED) tests/emulated/test_power.py $(ARGS)
