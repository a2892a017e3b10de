# Everything a reader or a maintainer does with this book. `make` alone lists it.
PYTHON ?= python3
PORT ?= 8000
WORKERS ?= logical
PIP_OPTIONS ?=
SEEDS ?= 2000000:2000040
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

export PIP_DISABLE_PIP_VERSION_CHECK := 1
unexport IBCORE_BUILDING_BOOK MPLBACKEND PYTHONWARNINGS PYTHONPATH

.PHONY: help env book test notebooks processors mutants sweep lint lab serve bench clean

help:
	@echo "make book    build the book into _build/html/index.html, running every notebook that changed"
	@echo "make test    run all checks: style, types, the book's build, tests, notebooks, pages in a browser"
	@echo "make lab     open the notebooks in JupyterLab"
	@echo "make serve   show the built book at http://127.0.0.1:$(PORT)"
	@echo "make bench   compare the solvers' running times"
	@echo "make clean   remove what was built; $(VENV) stays"
	@echo
	@echo "make notebooks    only compare what the notebooks print with what they store"
	@echo "make processors   compare notebooks and claims under the settings of other processors (an hour)"
	@echo "make mutants      change the package in 120 places, one at a time: which changes do its tests not notice? (half an hour)"
	@echo "make sweep        run every claim at many seeds, and keep the counts for the ledger (hours; goes on where it was stopped)"
	@echo
	@echo 'Settings: SEEDS=$(SEEDS)  PYTHON=$(PYTHON)  PORT=$(PORT)  WORKERS=$(WORKERS)  PIP_OPTIONS=$(PIP_OPTIONS)'

env: $(INSTALLED)

$(INSTALLED): requirements.txt constraints.txt pyproject.toml
	@command -v "$(PYTHON)" > /dev/null || { echo "There is no '$(PYTHON)' here. Install Python 3.11, 3.12, 3.13 or 3.14, or name one: make PYTHON=/path/to/python" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; v = sys.version_info; sys.exit(None if (3, 11) <= v < (3, 15) else "%s is Python %d.%d; this project runs on 3.11 to 3.14. Name one of them: make PYTHON=python3.12" % (sys.argv[1], *v[:2]))' "$(PYTHON)"
	@echo "==> Installing into $(VENV) (a few minutes the first time)"
	test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV)
	$(BIN)/python -m pip install --quiet $(PIP_OPTIONS) -r requirements.txt -c constraints.txt
	$(BIN)/python -m pip install --quiet $(PIP_OPTIONS) --no-deps --no-build-isolation -e .
	@touch $@

book: $(INSTALLED)
	@echo "==> Building the book"
	$(BIN)/python scripts/build_book.py

lint: $(INSTALLED)
	@echo "==> Style and types"
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	test ! -x $(BIN)/oxlint || $(BIN)/oxlint --quiet

test: lint book
	@echo "==> A browser for the pages"
	$(BIN)/python scripts/find_chromium.py --install
	@echo "==> Tests of the package, of what the notebooks print, and of the built pages"
	$(BIN)/python scripts/run_tests.py -n $(WORKERS)

notebooks: $(INSTALLED)
	@echo "==> What the notebooks print, against what they store"
	$(BIN)/python scripts/run_tests.py --only-notebooks -n $(WORKERS)

processors: $(INSTALLED)
	@echo "==> Notebooks and claims under the settings of other processors"
	$(BIN)/python scripts/processors.py -n $(WORKERS)

mutants: $(INSTALLED)
	@echo "==> Small changes of the package, and whether its tests notice them"
	$(BIN)/python scripts/mutants.py

sweep: $(INSTALLED)
	@echo "==> Every claim at many seeds"
	$(BIN)/python scripts/store_sweep.py --seeds $(SEEDS)

lab: $(INSTALLED)
	$(BIN)/python -m jupyterlab book

serve: book
	$(BIN)/python scripts/serve_book.py --port $(PORT)

bench: $(INSTALLED)
	$(BIN)/python -m benchmarks

clean:
	rm -rf _build .pytest_cache .ruff_cache .mypy_cache ibcore.egg-info
	find ibcore tests scripts book -name __pycache__ -type d -prune -exec rm -rf {} +
