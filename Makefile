# `make submission` runs the whole pipeline, `make test` runs linters and tests, `make ablation` makes the paper's
# comparisons on a larger demonstration, `make bench` measures speed and memory. They need Python 3.11, make and, the
# first time, network access to the package registries.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
CORES ?= all
VENV := .venv
INSTALLED := $(VENV)/.installed
RUN := PATH="$(CURDIR)/$(VENV)/bin:$$PATH"

.PHONY: submission test audit test-alignment test-cluster test-storage survive ablation score-demo bench lint format
.PHONY: install

submission: $(INSTALLED)
	$(RUN) snakemake --cores $(CORES) submission

ablation: $(INSTALLED)
	$(RUN) snakemake --cores $(CORES) ablation submission --configfile tests/configs/ablation.yaml
	@cat results/ablation/table.txt
	@$(MAKE) --no-print-directory score-demo

score-demo: $(INSTALLED)
	@$(RUN) python -m frame_expressions.demo.score \
	  --predictions results/submission/predictions.txt --truth results/demo/truth.parquet

test: $(INSTALLED) lint
	$(RUN) python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# Check the pinned packages for known vulnerabilities. Strict: a package that cannot be looked up is a failure.
audit:
	@$(PYTHON) -m venv $(VENV)/audit
	@$(VENV)/audit/bin/pip install --quiet --disable-pip-version-check pip-audit
	@for pins in requirements.txt requirements-no-deps.txt requirements-slurm.txt requirements-kubernetes.txt; do \
	  $(VENV)/audit/bin/pip-audit --strict --no-deps --disable-pip --requirement $$pins || exit 1; done

# Synthetic media in many formats, and real ones if present: is frame k the same frame in every stage, with its audio?
test-alignment: $(INSTALLED)
	@$(RUN) python -m tests.alignment

# A small demonstration on a real Slurm on this machine, which loses jobs and nodes. Needs root on Debian or Ubuntu.
test-cluster: $(INSTALLED)
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check -r requirements-slurm.txt
	@$(RUN) python -m tests.slurm

# A small demonstration with its results in an S3 object store, compared with a run that keeps them on the disk.
test-storage: $(INSTALLED)
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check -r requirements-kubernetes.txt -r tests/requirements-storage.txt
	@$(RUN) python -m pytest tests/workflow/test_storage.py

# Kill the small demonstration at 30 random moments, and run 500 damaged media through the stages that read media.
# The outcome is in results/survival.json.
survive: $(INSTALLED)
	@$(RUN) python -m tests.survival.kills
	@$(RUN) python -m tests.survival.mutations

# Figure 1 and parts of other figures need an SCRFD detector: make bench MODEL=scrfd_500m.onnx
MODEL ?= $(wildcard ../shared/models/scrfd_500m.onnx)
bench: $(INSTALLED)
	@$(RUN) python -m benchmarks $(if $(MODEL),--model $(MODEL))

lint: $(INSTALLED)
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) snakefmt --check .
	$(RUN) snakemake --lint

format: $(INSTALLED)
	$(RUN) ruff check --fix .
	$(RUN) ruff format .
	$(RUN) snakefmt .

install: $(INSTALLED)

# insightface requires an OpenCV that needs a desktop's libraries; requirements.txt pins the one that does not.
$(INSTALLED): requirements.txt requirements-no-deps.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
	  { echo "Python 3.11 is needed, found $$($(PYTHON) --version 2>&1); set PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Installing into $(VENV). This happens once and takes a minute or two."
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r requirements.txt
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps -r requirements-no-deps.txt
	touch $@
