# Every command sets up what it needs: a virtual environment in .venv, by uv where it is installed, else by pip.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test test-contract test-long check format bench setup clean

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

test: setup
	$(BIN)/python -m pytest -q -n auto --dist worksteal -m "not contract and not long"

# Needs PostgreSQL and Prometheus (Debian's packages are enough; the tests start their own) and an environment with a real MLflow:
# SCRUMBUT_MLFLOW names its bin folder (.ci/run makes one).
test-contract: setup
	$(BIN)/python -m pytest -q -m contract

# Minutes of work: every real issue there and back, the sync over a thousand random histories, and its mutants.
test-long: setup
	$(BIN)/python -m pytest -q -n auto -m long

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup
	$(BIN)/python -m bench

clean:
	rm -rf $(VENV) demo-out bench-out build *.egg-info
