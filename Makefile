# SPDX-License-Identifier: GPL-2.0-or-later
# One command each: `make` alone lists them. V=1 shows full commands.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:
.NOTPARALLEL:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules --no-print-directory
ifneq ($(V),1)
.SILENT:
endif
export V

BIN := .venv/bin
PYTHON := $(BIN)/python
SETUP := build/setup.stamp
COMPILED := build/bpf.stamp
PEERS := build/peers.stamp
MACHINE := build/oracle.stamp
BPF_FILES := $(shell find bpf -name '*.[ch]')
ABI_TOOLS := $(wildcard tools/compile_bpf.py tools/gen_abi.py src/bpvs/kernel/btf.py)
PYTHON_TREES := $(wildcard src tests tools bench) hatch_build.py
# Two workers fit the smallest machine; each test that needs a network makes its own namespaces.
JOBS ?= 2
TESTS ?= tests

.DEFAULT_GOAL := help
.PHONY: help setup demo test bench lint format oracle wheel clean

help: ## this list
	sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

setup: $(COMPILED) ## packages, .venv, compiled programs; the tools land in .venv/bin
	echo "  READY   $(BIN)/ipvsadm, $(BIN)/bpvs"

$(SETUP): pyproject.toml hatch_build.py tools/setup tools/packages.sh
	tools/setup
	mkdir -p $(@D)
	touch $@

$(COMPILED): $(SETUP) $(BPF_FILES) $(ABI_TOOLS)
	$(PYTHON) tools/compile_bpf.py
	touch $@

demo: $(COMPILED) ## the tutorial in network namespaces; TYPE=nat|dr|tun|fullnat|synproxy shows that; KEEP=1 leaves it
	$(BIN)/bpvs demo $(if $(TYPE),--type $(TYPE)) $(if $(KEEP),--keep)

# Without what the virtual machine needs its tests are skipped, each with the reason.
$(MACHINE): $(SETUP) tools/setup tools/packages.sh
	if tools/setup oracle; then touch $@; else echo "going on without the virtual machine"; fi

# The same of the tests beside programs of others.
$(PEERS): $(SETUP) $(wildcard tools/setup tools/packages.sh tools/mon_real tools/real_servers)
	if tools/setup peers; then touch $@; else echo "going on without programs to compare with"; fi

test: $(COMPILED) $(PEERS) $(MACHINE) ## every test; TESTS=path for some, JOBS=n workers
	$(PYTHON) -m pytest -n $(JOBS) --dist worksteal $(TESTS)

bench: $(COMPILED) $(PEERS) ## nanoseconds per packet and the other figures of the budget
	$(PYTHON) bench/run.py

lint: $(COMPILED) ## formatting, types, layers, spelling, file length
	tools/lint $(PYTHON_TREES)

format: $(COMPILED) ## write the formatting that lint asks for
	$(BIN)/ruff check --fix-only --quiet $(PYTHON_TREES)
	$(BIN)/ruff format --quiet $(PYTHON_TREES)
	find bpf -name '*.[ch]' -exec $(BIN)/clang-format -i {} +

oracle: $(COMPILED) $(MACHINE) ## every scenario on the real IPVS and on BPVS, in a virtual machine with kernel 6.1
	ORACLE=1 $(PYTHON) -m pytest --timeout 1800 tests/oracle

wheel: $(COMPILED) ## dist/*.whl and dist/*.tar.gz
	$(PYTHON) -m build --no-isolation --outdir dist $(if $(V),,>/dev/null)
	ls dist

clean: ## remove everything that was made, .venv too
	rm -rf build dist .venv .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	rm -rf src/bpvs/kernel/objects src/bpvs/kernel/_abi.py
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
