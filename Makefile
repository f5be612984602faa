# The one entry point for people and for CI. Longer recipes live in Scripts/.

PREFIX ?= /usr/local
DESTDIR ?=
SIMULATION_RUNS ?= 20000
FUZZ_SECONDS ?= 60

FORMAT = --recursive --parallel --configuration .swift-format
SOURCES = Sources Tests Package.swift $(wildcard Fuzz/Package.swift Fuzz/Sources) \
	$(wildcard Benchmarks/Package.swift Benchmarks/Sources)

.PHONY: help deps demo build release plugin test simulate fuzz bench fmt lint check install install-plugin clean

help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

deps: ## Install the Debian packages that the build, tests, demo and benchmarks need.
	@Scripts/deps.sh

demo: deps release ## Make a disk, serve it, write to it, kill the server, find the data again.
	@Scripts/demo.sh

build: ## Build everything for debugging.
	swift build --build-tests

release: ## Build the static program bin/footing.
	@Scripts/release.sh

plugin: ## Build the same and bin/nbdkit-footing-plugin.so, for nbdkit.
	@Scripts/release.sh plugin

test: deps ## Run every check and test, with sanitizers; what CI runs.
	@Scripts/test.sh

simulate: ## Crash a simulated disk SIMULATION_RUNS times and look for lost data.
	swift run -c release footing-simulate --runs $(SIMULATION_RUNS)
	swift run -c release footing-simulate --runs $$(($(SIMULATION_RUNS) / 4)) --changes

fuzz: ## Feed every parser random input, FUZZ_SECONDS each.
	@Scripts/fuzz.sh $(FUZZ_SECONDS)

bench: release ## Measure against peers: ROUNDS=5 SECONDS_PER_SAMPLE=3 HOURS=1 ONLY=nbd,...
	@Scripts/bench.sh

fmt: ## Format the sources.
	swift format format --in-place $(FORMAT) $(SOURCES)

lint: ## Check formatting.
	swift format lint --strict $(FORMAT) $(SOURCES)

check: lint ## Check formatting, warnings, and the project's own rules.
	swift test --disable-xctest --filter '^TidyTests\.'

install: release ## Install the program and its completions below DESTDIR/PREFIX.
	@Scripts/install.sh "$(DESTDIR)$(PREFIX)"

install-plugin: plugin ## Install the plugin below DESTDIR, where nbdkit looks for it.
	@Scripts/install.sh --plugin "$(DESTDIR)"

clean: ## Remove everything that was built.
	rm -rf .build bin Fuzz/.build Benchmarks/.build
