# demo: the main job on synthetic data.  test, lint, types: the checks.
# docs: writes docs/api.md from the docstrings.
# Each makes .venv and installs what it needs, once for each change of the
# files that say what to install.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
PINS := setup.cfg pyproject.toml constraints.txt
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check \
	--constraint constraints.txt

export TF_CPP_MIN_LOG_LEVEL ?= 2

.PHONY: demo test lint types docs clean

demo: $(VENV)/.installed
	$(BIN)/keras-emb demo $(ARGS)

test: $(VENV)/.installed-dev
	$(BIN)/pytest -q -n auto --maxprocesses 4 $(ARGS)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# mypy follows folders, not package_dir: links give it the installed layout.
types: $(VENV)/.installed-dev
	mkdir -p build/types/keras_emb
	ln -sfn $(CURDIR)/keras_emb/* $(CURDIR)/zoo $(CURDIR)/datasets \
		build/types/keras_emb/
	find build/types -xtype l -delete
	cd build/types && $(BIN)/mypy --config-file $(CURDIR)/pyproject.toml \
		--cache-dir $(CURDIR)/.mypy_cache -p keras_emb

docs: $(VENV)/.installed
	$(BIN)/python docs/make_api.py

$(VENV)/.installed: $(PINS)
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(INSTALL) --editable ".[dev,datasets,ciess,serving,litert]"
	touch $@

# The presets as TensorFlow Serving serves them, one folder a version.
saved_models: $(VENV)/.installed-dev
	rm -rf saved_models
	for preset in $$($(BIN)/keras-emb list presets); do \
		$(BIN)/keras-emb export $$preset --to saved_models/$$preset || exit 1; \
	done

clean:
	rm -rf build *.egg-info .mypy_cache .pytest_cache .ruff_cache
