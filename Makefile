# make demo | test | lint | docs | bench | arm-sysroot | venv | clean. The first call of any of them makes .venv.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
BIN := .venv/bin
STAMP := .venv/.stamp

.PHONY: help demo test lint lint-style lint-types lint-rooms lint-length lint-docs docs bench arm-sysroot venv clean

help:
	@echo "make demo    search a network for the bundled digits in minutes: leaderboard, report, exported files"
	@echo "make test    every test but the slow ones; make test slow=1: those too"
	@echo "make lint    style, types, rooms, file lengths, generated docs (make -k lint: go on after a failure)"
	@echo "make docs    write the generated pages of docs/ again"
	@echo "make bench   run every measurement in bench/"
	@echo "make arm-sysroot    what the meter qemu_arm needs (needs qemu-user and gcc; 120 MB in ~/.local/share/edgeml)"
	@echo "make venv    only make .venv        make clean   remove what the other targets made"

venv: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@for python in python3.11 python3; do \
	  if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then break; fi; python=; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "edgeml needs Python 3.11 or newer and found none as python3.11 or python3; install one and run make again." >&2; \
	  exit 1; \
	fi; \
	[ -x $(BIN)/pip ] || $$python -m venv .venv
	@echo "installing edgeml and its dependencies into .venv (minutes the first time, TensorFlow is large)"
	@$(BIN)/pip install -q -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(STAMP)
	rm -rf runs/demo
	$(BIN)/edgeml search --target coral --data digits --trials 12 --time 3m --seed 0 --out runs/demo
	$(BIN)/edgeml export runs/demo --pick knee --out runs/demo/export

test: $(STAMP)
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n 2 --dist loadgroup --no-loadscope-reorder $(if $(slow),,-m "not slow")

lint: lint-style lint-types lint-rooms lint-length lint-docs
	@echo "lint: all clean"

lint-style: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

lint-types: $(STAMP)
	$(BIN)/mypy

lint-rooms: $(STAMP)
	$(BIN)/lint-imports

lint-length: $(STAMP)
	$(BIN)/python -W error tools/lint_house.py

lint-docs: $(STAMP)
	$(BIN)/python -W error tools/make_docs.py --check

docs: $(STAMP)
	$(BIN)/python -W error tools/make_docs.py

bench: $(STAMP)
	@shopt -s nullglob; for script in bench/*.py; do echo "$$script"; $(BIN)/python "$$script"; done

arm-sysroot: $(STAMP)
	$(BIN)/python tools/arm_sysroot.py

clean:
	rm -rf .venv runs/demo dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
