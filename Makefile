# Everything a reader or a maintainer does with this book. `make` alone lists it.
PYTHON ?= python3
PORT ?= 8000
WORKERS ?= logical
PIP_OPTIONS ?=
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

# One thread per process: the work is small, and the processes are many.
export OMP_NUM_THREADS := 1
export MKL_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
export VECLIB_MAXIMUM_THREADS := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
unexport IBCORE_BUILDING_BOOK MPLBACKEND PYTHONWARNINGS PYTHONPATH

.PHONY: help env book test lint lab serve bench clean

help:
	@echo "make book    build the book into _build/html/index.html, running every notebook that changed"
	@echo "make test    run all checks: style, types, the book's build, tests, notebooks, pages in a browser"
	@echo "make lab     open the notebooks in JupyterLab"
	@echo "make serve   show the built book at http://127.0.0.1:$(PORT)"
	@echo "make bench   compare the solvers' running times"
	@echo "make clean   remove what was built; $(VENV) stays"
	@echo
	@echo "Settings: PYTHON=$(PYTHON)  PORT=$(PORT)  WORKERS=$(WORKERS)  PIP_OPTIONS=$(PIP_OPTIONS)"

env: $(INSTALLED)

$(INSTALLED): requirements.txt constraints.txt pyproject.toml
	@command -v $(PYTHON) > /dev/null || { echo "There is no '$(PYTHON)' here. Install Python 3.11, 3.12 or 3.13, or name one: make PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(None if (3, 11) <= v < (3, 14) else "$(PYTHON) is Python %d.%d; this project runs on 3.11, 3.12 and 3.13. Name one of them: make PYTHON=python3.12" % v[:2])'
	@echo "==> Installing into $(VENV) (a few minutes the first time)"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
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

test: lint book
	@echo "==> A browser for the pages"
	$(BIN)/python scripts/find_chromium.py --install
	@echo "==> Tests of the package, of what the notebooks print, and of the built pages"
	$(BIN)/python scripts/run_tests.py -n $(WORKERS)

lab: $(INSTALLED)
	$(BIN)/python -m jupyterlab book

serve: book
	$(BIN)/python scripts/serve_book.py --port $(PORT)

bench: $(INSTALLED)
	$(BIN)/python -m benchmarks

clean:
	rm -rf _build .pytest_cache .ruff_cache .mypy_cache ibcore.egg-info
	find ibcore tests scripts book -name __pycache__ -type d -prune -exec rm -rf {} +
