# kolray: `make help` lists the commands.
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
AIRFLOW := .venv-airflow
TORCH := .venv-transformers

.DEFAULT_GOAL := help
.PHONY: help install demo test test-heavy check bench clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

install: $(STAMP) ## make .venv with pinned dependencies (no PyTorch)

$(STAMP): pyproject.toml constraints.txt
	@test -x $(PY) || python3 -m venv $(VENV) || (echo "Python 3.11 with venv is needed (Debian: apt-get install python3-venv)" >&2; exit 1)
	@$(PY) -m pip --quiet --disable-pip-version-check install uv || true
	@if [ -x $(VENV)/bin/uv ]; then \
	  VIRTUAL_ENV=$(CURDIR)/$(VENV) $(VENV)/bin/uv pip install --quiet -c constraints.txt -e '.[dev]'; \
	else $(PY) -m pip --quiet install -c constraints.txt -e '.[dev]'; fi
	@$(PY) -m compileall -q -j 0 $(VENV)/lib kolray jobs tuning >/dev/null || true  # every process of ours starts sooner by seconds
	@$(PY) -c "from kolray.stream.warm import warm_up; warm_up()"  # the stream's compiled code, kept on disk
	@$(PY) -c "from kolray.models.trust.trees import warm_up; warm_up()"
	@touch $@

demo: install ## one event's whole life on this machine (ONCE=1: end by itself, exit 0 if every promise held)
	@$(PY) jobs/demo.py $(if $(ONCE),--once) $(ARGS)

check: install ## lint, types, layers: seconds
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports

test: check ## everything: unit, contract, integration on real servers
	@$(PY) tests/side_by_side.py $(ARGS)

test-heavy: install $(AIRFLOW)/.installed $(TORCH)/.installed ## what needs gigabytes or minutes (a test whose Java is missing says so and is skipped)
	@$(PY) -m pytest -m heavy tests --ignore tests/heavy/transformers $(ARGS)
	@$(TORCH)/bin/python -m pytest -m heavy tests/heavy/transformers $(ARGS)

$(AIRFLOW)/.installed: tests/heavy/airflow.txt
	@test -x $(AIRFLOW)/bin/python || python3 -m venv $(AIRFLOW)
	@$(AIRFLOW)/bin/python -m pip --quiet --disable-pip-version-check install --no-deps -r $<
	@touch $@

# PyTorch on top of .venv, which stays without it: this one's packages come first, then those of .venv.
$(TORCH)/.installed: $(STAMP) constraints-transformers.txt
	@test -x $(TORCH)/bin/python || $(PY) -m venv $(TORCH)
	@if [ -x $(VENV)/bin/uv ]; then VIRTUAL_ENV=$(CURDIR)/$(TORCH) $(VENV)/bin/uv pip install --quiet -c constraints.txt \
	  -c constraints-transformers.txt torch transformers accelerate underthesea pytest; \
	else $(TORCH)/bin/python -m pip --quiet install -c constraints.txt -c constraints-transformers.txt \
	  torch transformers accelerate underthesea pytest; fi
	@base=$$($(PY) -c "import sysconfig; print(sysconfig.get_path('purelib'))"); \
	  echo "import site; site.addsitedir('$$base')" > $$($(TORCH)/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")/kolray_base.pth
	@touch $@

bench: install ## measure the stream on the servers of `kolray up --profile local`
	@$(VENV)/bin/kolray bench stream $(ARGS)

clean: ## remove .venv and everything kolray made here
	@-$(VENV)/bin/kolray down 2>/dev/null
	@rm -rf $(VENV) $(AIRFLOW) $(TORCH) .kolray build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
