# Syncline's commands. `make` alone lists them.
# JOBS=1  runs one test at a time.   MORE='-k word'  goes to pytest.   FULL=1  gives simulations all their seeds, as .ci/run does.
# TORCH=cpu|cuda  picks torch's build (else: cpu without an NVIDIA GPU).   PYTHON=python3.12  picks the interpreter.

PYTHON ?= python3
TORCH ?=
# Most tests wait for brokers and workers, not for a processor: more at once than there are cores.
JOBS ?= 6
MORE ?=
FULL ?=
SECONDS ?= 60
VENV := .venv
BIN := $(VENV)/bin
# Two sizes of one environment: what the demo runs on, or everything. setup.sh takes the stamp of the other away.
DEMO_STAMP := $(VENV)/.syncline-demo
DEMO_LOCK := requirements/demo.txt
STAMP := $(VENV)/.syncline-setup
LOCK := requirements/dev.txt
OTHER_TORCH := $(if $(filter-out $(shell cat $(VENV)/.torch 2>/dev/null),$(TORCH)),other-torch)

# Where it is set, each of the hundreds of processes that tests start would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-timing other-torch check audit format test-kafka test-compose test-tensorflow guarantees \
	fuzz corpus evaluate train-all bench bench-faust bench-index soak settings lock

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## Make .venv with everything in it (once; again when the lock changes)

$(STAMP): $(LOCK) pyproject.toml deploy/setup.sh $(OTHER_TORCH)
	@PYTHON="$(PYTHON)" TORCH="$(TORCH)" sh deploy/setup.sh $(VENV) $(LOCK)
	@touch $@

$(DEMO_STAMP): $(DEMO_LOCK) pyproject.toml deploy/setup.sh $(OTHER_TORCH)
	@PYTHON="$(PYTHON)" TORCH="$(TORCH)" sh deploy/setup.sh $(VENV) $(DEMO_LOCK)
	@touch $@

other-torch:

# Tools that are there stay.
demo: $(if $(wildcard $(STAMP)),$(STAMP),$(DEMO_STAMP)) ## Line up and fuse five sample streams, before your eyes
	@$(BIN)/syncline demo

test: setup ## Run all tests that need neither Java nor Docker, in random order; no clock is judged
	@FULL_TESTS=$(FULL) $(BIN)/pytest -n $(JOBS) --dist loadfile -m "not timing" --durations 10 $(MORE)

test-timing: setup ## Run the tests that judge seconds, one by one on a quiet machine; MORE=--apache-kafka: on that too
	@$(BIN)/pytest -m timing --durations 10 $(MORE)

test-kafka: setup ## Run the Kafka tests on an Apache Kafka, as `test` does on Tansu (JDK 17, Maven; fetches 54 MB once)
	@$(BIN)/pytest -n $(JOBS) --dist loadfile -m "kafka and not timing" --apache-kafka --no-tansu --durations 10 $(MORE)

test-compose: setup ## Run docker-compose.yml for real: scale it, kill, restart, stop (Docker, or root on Debian; 13 GB, 20 minutes)
	@$(BIN)/python -m tests.compose $(MORE)

test-tensorflow: setup ## Take a small Keras model through tf2onnx and the ONNX adapter (fetches TensorFlow, 0.3 GB, once)
	@sh deploy/test_tensorflow.sh $(VENV)

check: setup ## Look for mistakes: ruff, its format, pyright, bandit (changes nothing)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/pyright
	@$(BIN)/bandit -q -c pyproject.toml -r syncline streams processors models verify demo bench examples deploy

audit: setup ## Ask for advisories on what is locked (by hand: a new one shall not redden main)
	@$(BIN)/python deploy/audit.py requirements/dev.txt

format: setup ## Mend what ruff can mend, and format
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

RUNS ?= 5
guarantees: setup ## Let faults strike workers and judge what came of it, RUNS=5 on each broker (JDK 17, Maven; 6 minutes)
	@$(BIN)/pytest -n $(JOBS) -q tests/guarantees --guarantees -m guarantees
	@out=$$(mktemp); $(BIN)/python -m tests.guarantees --broker tansu --runs $(RUNS) >$$out 2>&1 & tansu=$$!; \
	$(BIN)/python -m tests.guarantees --broker apache --runs $(RUNS); code=$$?; \
	wait $$tansu || code=$$?; cat $$out; rm $$out; exit $$code

fuzz: setup ## Fuzz decoders and codecs, SECONDS=60 each (Linux); KEEP=1 lets the corpus grow
	@$(BIN)/python -m tests.fuzz --seconds $(SECONDS) $(if $(KEEP),--keep)

corpus: setup ## Build what the models are trained on (npm, flite, espeak-ng; 2 GB, 14 minutes)
	@$(BIN)/python -m models.training.corpus
	@$(BIN)/python -m models.training.synthesis corpus

evaluate: setup ## Run the protocol: what fuses (shipped, and all in runs/) and the voice; tables, JSON in runs/scores
	@mkdir -p runs/scores
	@$(BIN)/python -m models.training.synthesis evaluate --out runs/scores/voice.json >runs/scores/voice.txt & voice=$$!; \
	$(BIN)/python -m models.evaluation.scores; code=$$?; wait $$voice || code=$$?; cat runs/scores/voice.txt; exit $$code

SEEDS ?= 1 2 3
train-all: setup ## Train all models from nothing, SEEDS="1 2 3" (2 cores; below 5 hours)
	@$(BIN)/python -m models.train_all --seeds $(SEEDS)

bench: setup ## Measure the join, alone and against Kafka Streams and Quix (JDK 17, Maven; 6 minutes)
	@$(BIN)/python -m bench.join_pure
	@$(BIN)/python -m bench.join

bench-faust: setup ## Compare with a plain Faust agent, both under kill -9 (JDK 17, Maven; 5 minutes)
	@$(BIN)/python -m bench.plain_faust

bench-index: setup ## Measure the index of results: insert rate, size, query times (1 minute)
	@$(BIN)/python -m bench.index

EVENTS ?= 1000000
EVENTS_PER_S ?= 1900
KILL_EVERY_S ?= 30
soak: setup ## A million events through two workers that are killed all the time (JDK 17, Maven; 10 minutes)
	@$(BIN)/python -m bench.soak --events $(EVENTS) --events-per-s $(EVENTS_PER_S) --kill-every-s $(KILL_EVERY_S)

settings: setup ## Write docs/settings.md and syncline.example.toml anew from the definitions in the code
	@$(BIN)/python -m deploy.settings_reference

lock: setup ## Write requirements/*.txt anew from pyproject.toml (needs uv)
	@sh deploy/lock.sh
