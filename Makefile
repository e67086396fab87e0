# The two commands of the README are `make demo` and `make test`; `make help` lists the others.
# Both set up what they need: packages, a Docker Engine if none answers, images, tools.

SHELL := /bin/bash
WITH_ENGINE := testbed/engine.sh with --
comma := ,
DEMO_STORES := $(or $(strip $(subst $(comma), ,$(STORES))),postgres documentdb valkey nats neo4j clickhouse milvus)

.DEFAULT_GOAL := help
.PHONY: help demo down test bench soak dist book lint fmt setup setup-demo images images-demo build build-tests tools inside-demo inside-test inside-bench inside-soak

help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{ printf "  make %-10s %s\n", $$1, $$2 }'

demo: setup-demo ## Back up, wreck, restore and prove a platform of real engines (SCALE=3; 100 is about 2 GB; STORES=postgres,valkey)
	@testbed/engine.sh start
	@$(MAKE) --no-print-directory inside-demo

down: setup-demo ## Remove the demo's platform, and the engine if the demo started it
	@testbed/engine.sh start
	@cargo xtask demo --down
	@testbed/engine.sh stop

test: setup ## All checks and tests, as CI runs them
	@$(WITH_ENGINE) $(MAKE) --no-print-directory inside-test

bench: setup ## Measure against the classic script (SCALE=10,100: 0.2 and 2 GB) and bare S3
	@$(WITH_ENGINE) $(MAKE) --no-print-directory inside-bench

soak: setup ## Many deaths, many standstills, 20 GiB, large stores (two hours, not in CI); writes benches/soak.md
	@$(WITH_ENGINE) $(MAKE) --no-print-directory inside-soak

dist: ## What is given to hosts: static program, archive and Debian package, in dist/
	@ops/dist/build.sh

book: ## The documentation as a book, in target/book
	@PATH="$$(scripts/tools.sh)$$PATH" mdbook build

lint: ## Format, lints and house rules only
	@cargo fmt --all --check
	@cargo xtask tidy
	@cargo clippy --locked --workspace --all-targets -- -D warnings

fmt: ## Format the code
	@cargo fmt --all

setup:
	@testbed/setup.sh

# Without what only tests need.
setup-demo:
	@testbed/setup.sh demo

images:
	@testbed/images/build.sh

# Those of its platform, with the stores that were named or all; the others are for tests.
images-demo:
	@testbed/images/build.sh $(DEMO_STORES) etcd seaweedfs idle witness

tools:
	@scripts/tools.sh >/dev/null

build:
	@cargo build --quiet --locked --package stillpoint --package xtask

build-tests:
	@cargo test --quiet --locked --workspace --no-run

inside-demo:
	@$(MAKE) --no-print-directory -j2 images-demo build
	@cargo xtask demo

# Images, tools and tests are built side by side: what waits for the network gives way to what computes.
inside-test:
	@$(MAKE) --no-print-directory -j3 images tools build-tests
	@PATH="$$(scripts/tools.sh)$$PATH" cargo xtask check

inside-soak:
	@$(MAKE) --no-print-directory images
	@cargo build --quiet --locked --release --package stillpoint
	@cargo build --quiet --locked --release --package xtask
	@cargo run --quiet --locked --release --package xtask -- soak --report benches/soak.md

inside-bench:
	@$(MAKE) --no-print-directory images
	@cargo build --quiet --locked --release --package stillpoint
	@cargo build --quiet --locked --release --package xtask
	@cargo xtask bench
