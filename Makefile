# A thin wrapper: everything happens in start.py. Settings go on the line: make run PORT=9000 DATA=/srv/baton
PYTHON ?= python3

.PHONY: run test faults screenshots

run:
	@$(PYTHON) start.py run

test:
	@$(PYTHON) start.py test $(ARGS)

faults:
	@$(PYTHON) start.py faults $(ARGS)

screenshots:
	@$(PYTHON) start.py prepare
	@.venv/bin/python -m tests.screenshots
