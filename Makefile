# Every job a person runs. `make help` lists them.
PYTHON ?= python3
TORCH_INDEX ?=
PORT ?= 8000
VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
CHECKED := course_lib tests tools notebooks
# In a container one is often root, where JupyterLab does not start unless told to.
AS_ROOT = $(if $(filter 0,$(shell id -u)),--allow-root)

.DEFAULT_GOAL := help
.PHONY: help setup book book-ko test serve lab fetch vendor studies studies-check bench check format \
        coverage check-determinism offline-check browser pdf colab-test map messages mutants lock stamp clean \
        drift-newest drift-oldest outside-links release

help: ## list the jobs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' Makefile

setup: $(READY) ## create .venv and install the lock (TORCH_INDEX=… for another torch index)

$(READY): requirements.txt constraints.txt pyproject.toml
	@start=$$(date +%s); set -e; \
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed, this is " + sys.version.split()[0] + ": make PYTHON=python3.12 …")'; \
	test -x $(PY) || $(PYTHON) -m venv $(VENV) || { echo "python3 -m venv failed: install your system's python3-venv package, then try again"; exit 1; }; \
	if [ -n "$(TORCH_INDEX)" ]; then \
	  $(PY) -m pip install -q --index-url "$(TORCH_INDEX)" "$$(grep '^torch==' constraints.txt)"; fi; \
	$(PY) -m pip install -q -r requirements.txt -c constraints.txt; \
	$(PY) -m pip install -q --no-deps --no-build-isolation -e .; \
	touch $(READY); echo "environment: $$(( $$(date +%s) - start )) s"

book: $(READY) ## fetch the data, execute each notebook once, build _build/html
	@$(PY) -m tools.build book

book-ko: $(READY) ## build the Korean pages again, beside the English ones that are there
	@$(PY) -m tools.build korean

test: $(READY) ## unit tests, notebook hygiene, every notebook executed
	@$(PY) -m tools.build test

serve: $(READY) ## show the built book in the browser (PORT=8000)
	@$(PY) -m tools.serve $(PORT)

lab: $(READY) ## open the notebooks in JupyterLab
	@$(VENV)/bin/jupyter lab --notebook-dir=notebooks $(AS_ROOT)

fetch: $(READY) ## download the data archives into the cache (CHAPTERS="4 9" and FROM=folder to choose)
	@$(PY) -m course_lib.data fetch $(if $(CHAPTERS),--chapters $(CHAPTERS)) $(if $(FROM),--from "$(FROM)")

vendor: $(READY) ## fetch the scripts that make the pages independent of any CDN
	@$(PY) -m tools.vendor

studies: $(READY) ## run every study (resumes where a run stopped)
	@$(PY) -m course_lib.studies run

studies-check: $(READY) ## run the small smoke cell of every study
	@$(PY) -m course_lib.studies check

bench: $(READY) ## our code against bare torch.nn; writes the page "How fast is it"
	@OMP_NUM_THREADS=1 $(PY) -m tools.bench; failed=$$?; $(PY) -m tools.bench.page && exit $$failed

check: $(READY) ## lint and format (ruff), types (mypy), spelling (codespell)
	@$(VENV)/bin/ruff check $(CHECKED)
	@$(VENV)/bin/ruff format --check $(CHECKED)
	@$(VENV)/bin/mypy
	@$(VENV)/bin/codespell

format: $(READY) ## ruff: repair what can be repaired
	@$(VENV)/bin/ruff check --fix $(CHECKED)
	@$(VENV)/bin/ruff format $(CHECKED)

coverage: $(READY) ## which lines of the library do tests and notebooks run? fails below 95%
	@$(PY) -m tools.covered

check-determinism: $(READY) ## run every notebook again and compare all its outputs
	@$(PY) -m tools.build determinism

offline-check: $(READY) ## the tests and notebooks in a machine without any network
	@$(PY) -m tools.build offline

browser: $(READY) ## check the built pages: links, console, accessibility, keyboard
	@$(PY) -m tools.build browser

pdf: $(READY) ## print the built pages into one PDF (needs Chromium)
	@$(PY) -m tools.paper

colab-test: $(READY) ## open every notebook as Colab does, in fresh environments (SOME=3 for three)
	@COLAB_SOME="$(SOME)" $(PY) -m pytest -q -m colab $(if $(SOME),-k already_installed) tests/tools/test_colab.py

messages: $(READY) ## take changed English texts into the Korean catalogs of locale/ko
	@$(PY) -m tools.translations update

map: $(READY) ## write course_lib/README.md, the map of the library
	@$(PY) -m tools.map

mutants: $(READY) ## change the library in 300 small ways: do the tests notice? (about an hour)
	@OMP_NUM_THREADS=1 $(PY) -m tools.mutants

drift-newest: $(READY) ## tests and the Colab path with the newest versions of everything
	@$(PY) -m tools.drift newest --torch-index "$(TORCH_INDEX)"

drift-oldest: $(READY) ## tests and the Colab path with the oldest versions that are allowed
	@$(PY) -m tools.drift oldest --torch-index "$(TORCH_INDEX)"

outside-links: $(READY) ## ask every address outside the book whether it still answers
	@$(PY) -m tools.outside_links

release: $(READY) ## wheel, built book and checksums in _build/release (TAG=v… is compared)
	@$(PY) -m tools.release --tag "$(TAG)"

lock: ## renew constraints.txt from requirements.txt in a throw-away environment
	@$(PYTHON) tools/lock.py

stamp: $(READY) ## write the Colab cell, with the address of _config.yml, into every notebook
	@$(PY) -m tools.stamp

clean: ## remove what was built; the environment and the data cache stay
	rm -rf _build
