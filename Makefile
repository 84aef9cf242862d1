# Every habit as a verb. Each line calls cargo or a script in scripts/.
.NOTPARALLEL:
.PHONY: help demo demo-streams test ci fmt fmt-check lint tidy kubernetes reference templates doc-test chaos fuzz-brief guests bench serve clean setup

help: ## List what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Build everything, serve real components and send them real requests
	@scripts/demo

demo-streams: ## Show Kafka and Redis on a terminal, on real servers
	@scripts/demo-streams

test: ## Install what is missing, then run every test
	@scripts/setup && scripts/test

ci: setup fmt-check lint tidy kubernetes test templates fuzz-brief demo ## Exactly what continuous integration runs

fmt: ## Format all code
	cargo fmt --all && cargo fmt --all --manifest-path guest-examples/Cargo.toml && cargo fmt --manifest-path fuzz/Cargo.toml

fmt-check: ## Say what is not formatted
	cargo fmt --all --check && cargo fmt --all --check --manifest-path guest-examples/Cargo.toml && cargo fmt --check --manifest-path fuzz/Cargo.toml

lint: ## Clippy over host and guests, and cargo deny where it is installed
	@scripts/lint

tidy: ## Check the rules of the tree: layers, error pages, manifests, lengths
	cargo test --workspace --test tidy -- --nocapture

kubernetes: ## Check configs/kubernetes against the schemas of the Kubernetes API (needs Python)
	@scripts/check-kubernetes

reference: ## Write the tables of docs/manifest.md out of the types
	cargo run -q -p wfh-manifest --example reference

templates: ## Build and test what `wfh new` makes in JavaScript and Python (needs npm and Python)
	cargo test --workspace --test scenarios -- --ignored templates::

doc-test: ## Run the examples in the documentation of the crates
	cargo test --workspace --doc

chaos: guests ## Kill the host 1,000 times under load and count what was lost or doubled
	WFH_CHAOS_KILLS=1000 cargo test --release --workspace --test scenarios chaos -- --nocapture --test-threads 1

fuzz-brief: ## Fuzz what parses outside text, 20 seconds a target
	@scripts/fuzz-brief

guests: ## Compile the guest examples to components
	@scripts/guests

bench: ## Measure wfh against its peers and print a table
	@scripts/bench

serve: guests ## Serve configs/demo.toml on http://127.0.0.1:3000/
	cargo run --release -p wfh -- serve configs/demo.toml

setup: ## Install what is missing to build and test
	@scripts/setup

clean: ## Remove everything that was built
	cargo clean && cargo clean --manifest-path guest-examples/Cargo.toml && cargo clean --manifest-path fuzz/Cargo.toml
