# The targets are names for commands; what they do is in test/all and test/lab.

.DEFAULT_GOAL := help
BIN := bin/kubectl-etp
# As in test/all: nothing needs a C compiler, and both share the build cache.
export CGO_ENABLED := 0
TOOLS := $(CURDIR)/bin/tools
GORELEASER = PATH="$(TOOLS):$$PATH" goreleaser release --clean

.PHONY: help build test unit lint docs fuzz bench lab lab-record vuln fresh snapshot archives manifest manifest-text manifest-check release release-tools

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## Build bin/kubectl-etp, static and stripped
	go build -trimpath -ldflags '-s -w' -o $(BIN) ./cmd/kubectl-etp

test: ## Install and build what the tests need and run all of them, as CI does
	go run ./test/all

unit: ## Run the tests that need neither root nor an API server
	go run ./test/all unit

lint: ## Run go vet and golangci-lint
	go run ./test/all vet lint

docs: ## Regenerate the generated documents: screens, tables, the recorded session, reference, man pages
	go generate ./...

fuzz: ## Run all fuzz tests for a minute together
	go run ./test/all fuzz

bench: ## Run the benchmarks, also against a real API server with 5,000 nodes
	go test -run '^$$' -bench . ./pkg/...
	go run ./test/scale

lab: ## Compare the recordings in test/truth with real data planes and real packets (Linux, root)
	go run ./test/all packages lab

lab-record: ## Record test/truth again, all data planes and versions (Linux, root)
	go run ./test/all packages
	cd test/lab && go run . record

vuln: ## Check for known vulnerabilities (queries the Go vulnerability database)
	go -C test/release build -o $(TOOLS)/ golang.org/x/vuln/cmd/govulncheck
	$(TOOLS)/govulncheck ./...

fresh: ## Run both commands of the README in a new clone, with an empty HOME and empty caches
	go run ./test/all fresh

release-tools:
	go -C test/release build -o $(TOOLS)/ github.com/goreleaser/goreleaser/v2 github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod

snapshot: release-tools ## Build a release into dist/, without the signature
	$(GORELEASER) --snapshot --skip=sign

# The archives of the next tag, before the tag exists.
archives: release-tools
	test -n "$(TAG)"
	GORELEASER_CURRENT_TAG=$(TAG) $(GORELEASER) --skip=announce,publish,sbom,sign,validate

manifest: archives ## Write plugins/etp.yaml for the release TAG=v…
	go run ./krew $(TAG)

manifest-text: ## Regenerate plugins/etp.yaml from krew/etp.yaml.tmpl; keep its version and sums
	go run ./krew -text

manifest-check: archives ## Fail if the sums in plugins/etp.yaml are not those of the archives of TAG=v…
	go run ./krew -check $(TAG)

release: release-tools ## Publish the tag that is checked out (used by the workflow release)
	$(GORELEASER)
