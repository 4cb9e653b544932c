# Two commands from a fresh clone: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Not `dev`: it names steplog itself, and a lock would hold this folder's path.
LOCKED_EXTRAS := --extra local --extra parquet --extra examples --extra test --extra lint
DEMO_DATA := .steplog/demo

.DEFAULT_GOAL := help
