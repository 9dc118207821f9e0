# Needs Python 3.11 or newer and make, nothing else: everything is installed into $(VENV).
#   make test PYTHON=python3.13 VENV=.venv-3.13

PYTHON ?=
VENV ?= .venv
CORPUS ?= ../shared/corpus
PYTEST_ARGS ?=

ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif

STAMP := $(VENV)/.installed-dev
DEMO_STAMP := $(VENV)/.installed-demo

.PHONY: help test demo lint format schemas corpus mutants bench wheel clean

help:
	@echo "make test    the tests, in $(VENV)"
	@echo "make demo    records a conversation, stops the upstream and replays it: no key, no network"
	@echo "make lint    ruff and mypy"
	@echo "make schemas writes convo_replay/validation/schemas/*.json anew, from the installed SDKs' types"
	@echo "make bench   side by side with the bare SDK, vcrpy, and cassetter where it is installed"
	@echo "make corpus  replays every vcrpy cassette under CORPUS=$(CORPUS)"
	@echo "make mutants breaks the conversations under CORPUS=$(CORPUS), and shows what validation finds"
	@echo "make fidelity compares every fault with a real socket, for both generations of the SDKs"
	@echo "make wheel   dist/*.whl"

test: $(STAMP)
	$(BIN)/python -m pytest -n 2 $(PYTEST_ARGS)

demo: $(DEMO_STAMP)
	$(BIN)/convo-replay demo

lint: $(STAMP)
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy

format: $(STAMP)
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .

schemas: $(STAMP)
	$(BIN)/python tools/generate_schemas.py

# Environments that some live tests look for, and skip without: the SDK generation on httpx, and a real gateway.
.PHONY: old-sdks gateway
old-sdks: .venv-old/.installed
gateway: .venv-litellm/.installed

.venv-old/.installed: $(STAMP)
	$(BIN)/python -m venv --clear .venv-old
	.venv-old/bin/python -m pip install --quiet --disable-pip-version-check -e . 'anthropic==0.125.0' 'openai==2.54.0' \
		'httpx[http2]' hypothesis pytest-asyncio pytest-xdist trio
	@touch $@

.venv-litellm/.installed: $(STAMP)
	$(BIN)/python -m venv --clear .venv-litellm
	.venv-litellm/bin/python -m pip install --quiet --disable-pip-version-check 'litellm[proxy]==1.106.2'
	@touch $@

# Every vcrpy cassette under CORPUS is loaded, and each request in it is sent and compared.
corpus: $(STAMP)
	$(BIN)/python tools/replay_vcrpy.py $(CORPUS)

# Every recorded conversation under CORPUS, changed in one place after the other; what validation says of it. Minutes.
mutants: $(STAMP)
	$(BIN)/python tools/mutants.py $(CORPUS)

# Every fault, in-process and on a real socket; the older SDKs too, where .venv-old or CONVO_OLD_SDK_PYTHON is. Linux.
.PHONY: fidelity
fidelity: $(STAMP)
	CONVO_FIDELITY=1 $(BIN)/python -m pytest -n 0 -p no:randomly tests/live/test_fidelity.py

bench: $(STAMP)
	$(BIN)/python -m benchmarks.run

wheel: $(STAMP)
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

clean:
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache

# One recipe makes the environment, whoever needs it; a changed pyproject.toml makes it anew.
define environment
	@python="$(PYTHON)"; \
	if [ -z "$$python" ]; then \
		for name in python3 python3.13 python3.12 python3.11 python; do \
			if "$$name" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python="$$name"; break; fi; \
		done; \
	fi; \
	if [ -z "$$python" ]; then \
		echo "convo_replay needs Python 3.11 or newer, and none was found as python3, python3.13, python3.12, python3.11 or python; say where it is: make PYTHON=/path/to/python3" >&2; exit 1; \
	fi; \
	if ! "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then \
		echo "convo_replay needs Python 3.11 or newer; $$python is $$("$$python" -V 2>&1)" >&2; exit 1; \
	fi; \
	echo "$(VENV): $$("$$python" -V), $(1)"; \
	"$$python" -m venv --clear "$(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[$(1)]'
	@touch $@
endef

$(STAMP): pyproject.toml
	$(call environment,dev)
	@touch $(DEMO_STAMP)

$(DEMO_STAMP): pyproject.toml
	$(call environment,demo)
