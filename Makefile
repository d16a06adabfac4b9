# Every target builds the environment first where it is not there, or where its requirements changed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO_DIR ?= demo
# Two processes with one thread each; the tests of one file stay together and share what they made.
PYTEST_ARGS ?= -n 2 --dist loadfile
BENCH_DIR ?= bench
BENCH_ARGS ?=

.PHONY: help venv demo test lint format bench bench-data build clean

help:
	@echo "make demo    immunize, tamper, verify and recover a bundled picture into $(DEMO_DIR)/"
	@echo "make test    run the tests"
	@echo "make lint    ruff check, ruff format --check, mypy"
	@echo "make format  let ruff format and fix what it can"
	@echo "make bench DATA=FOLDER   measure on that folder's pictures, and print the tables (into $(BENCH_DIR)/)"
	@echo "make build   wheel and source archive into dist/"
	@echo "make clean   remove what the other targets made, the environment included"

venv: $(STAMP)

# constraints.txt pins torch, so that everybody measures with the same one.
$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[dev]'
	touch $@

demo: $(STAMP)
	$(BIN)/imuge demo --force '$(DEMO_DIR)'

test: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: bench-data $(STAMP)
	$(BIN)/imuge bench --data '$(DATA)' --out '$(BENCH_DIR)' --force $(BENCH_ARGS)

# Said before an environment is built for nothing.
bench-data:
	@test -n '$(DATA)' || { echo "make bench: no pictures; name a folder of them: make bench DATA=path/to/pictures" >&2; exit 2; }
	@test -d '$(DATA)' || { echo "make bench: '$(DATA)' is no folder; name a folder of pictures with DATA=" >&2; exit 2; }

build: $(STAMP)
	$(BIN)/python -m build

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
