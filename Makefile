# The commands of CONTRIBUTING.md. PYTHON: the interpreter of an environment with vidsr[dev].
PYTHON ?= .venv-dev/bin/python
ARGS ?=

.PHONY: test coverage lint docs bench dist

test:
	$(PYTHON) -m pytest $(ARGS)

coverage:
	$(PYTHON) -m pytest --cov --cov-report=term --cov-report=xml $(ARGS)

lint:
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	$(PYTHON) -m pytest -q tests/test_house.py

docs:
	$(PYTHON) -m zensical build --strict --clean

bench:
	$(PYTHON) -m vidsr bench $(ARGS)

dist:
	rm -rf dist
	$(PYTHON) -m build
	$(PYTHON) tests/check_dist.py dist
