# `make submission` runs the whole chain, `make test` passes the tests, `make ablation` makes the paper's comparisons
# on a larger demonstration, `make bench` measures speed and memory. They need Python 3.11, make and a network that
# reaches the package registries, the first time only.

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
	$(RUN) python -m pytest -n 2 --dist loadfile

# The pinned packages against the list of known vulnerabilities. Strict: a package that cannot be looked up is no pass.
audit:
	@$(PYTHON) -m venv $(VENV)/audit
	@$(VENV)/audit/bin/pip install --quiet --disable-pip-version-check pip-audit
	@for pins in requirements.txt requirements-no-deps.txt requirements-slurm.txt requirements-kubernetes.txt; do \
	  $(VENV)/audit/bin/pip-audit --strict --no-deps --disable-pip --requirement $$pins || exit 1; done

# Made-up media in many formats, and real ones if there are any: is frame k of every stage frame k, its sound in time?
test-alignment: $(INSTALLED)
	@$(RUN) python -m tests.alignment

# A small demonstration through a real Slurm on this machine, which loses jobs and nodes; root on Debian or Ubuntu.
test-cluster: $(INSTALLED)
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check -r requirements-slurm.txt
	@$(RUN) python -m tests.slurm

# The same with its results in an object store that speaks S3, beside a run with results on the disk.
test-storage: $(INSTALLED)
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check -r requirements-kubernetes.txt -r tests/requirements-storage.txt
	@$(RUN) python -m pytest tests/workflow/test_storage.py

# The small demonstration killed at 30 random moments, and 500 damaged media through the stages that read media;
# what came of it is in results/survival.json.
survive: $(INSTALLED)
	@$(RUN) python -m tests.survival.kills
	@$(RUN) python -m tests.survival.mutations

# Figure 1 and parts of others need an SCRFD detector: make bench MODEL=scrfd_500m.onnx
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

# insightface asks for an OpenCV that needs a desktop's libraries; requirements.txt pins the one that does not.
$(INSTALLED): requirements.txt requirements-no-deps.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
	  { echo "Python 3.11 is needed, found $$($(PYTHON) --version 2>&1); set PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Installing into $(VENV), once; this takes a minute or two."
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r requirements.txt
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps -r requirements-no-deps.txt
	touch $@
