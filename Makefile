# What the targets do is in test/all and test/lab; this file only names them.

.DEFAULT_GOAL := help
BIN := bin/kubectl-etp
# As test/all builds: nothing needs a C compiler, and what is in Go's build cache already is taken from there.
export CGO_ENABLED := 0
TOOLS := $(CURDIR)/bin/tools
GORELEASER = PATH="$(TOOLS):$$PATH" goreleaser release --clean

.PHONY: help build test unit lint docs fuzz bench lab lab-record vuln fresh snapshot archives manifest manifest-text manifest-check release release-tools

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## Build bin/kubectl-etp, static and stripped
	go build -trimpath -ldflags '-s -w' -o $(BIN) ./cmd/kubectl-etp

test: ## Run the tests as CI does; install and build what they need, and say what cannot run here and why
	go run ./test/all

unit: ## Run the tests that need neither root nor an API server
	go run ./test/all unit

lint: ## Run go vet and golangci-lint
	go run ./test/all vet lint

docs: ## Write the generated parts of the documents anew: screens, tables, the recorded session, reference, man page
	go test ./pkg/dataplane -run TestPredictionsEqualWhatPacketsDid -update
	go test ./test/arch -update

fuzz: ## Feed nonsense to the readers and the engine for a minute
	go run ./test/all fuzz

bench: ## Measure the engine, and status against a real API server with 5,000 nodes
	go test -run '^$$' -bench . ./pkg/...
	go run ./test/scale

lab: ## Compare the recordings in test/truth with real kube-proxies and real packets (Linux, root)
	go run ./test/all packages lab

lab-record: ## Record test/truth anew, all data planes and versions (Linux, root)
	go run ./test/all packages
	cd test/lab && go run . record

vuln: ## Look for known vulnerabilities in what is called (asks the Go vulnerability database)
	go -C test/release build -o $(TOOLS)/ golang.org/x/vuln/cmd/govulncheck
	$(TOOLS)/govulncheck ./...

fresh: ## Clone into an empty folder, with an empty HOME and empty caches, and run both commands of the README
	go run ./test/all fresh

release-tools:
	go -C test/release build -o $(TOOLS)/ github.com/goreleaser/goreleaser/v2 github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod

snapshot: release-tools ## Build everything that a release has but its signature into dist/
	$(GORELEASER) --snapshot --skip=sign

# What the next tag will hold, before there is one.
archives: release-tools
	test -n "$(TAG)"
	GORELEASER_CURRENT_TAG=$(TAG) $(GORELEASER) --skip=announce,publish,sbom,sign,validate

manifest: archives ## Write plugins/etp.yaml for the release TAG=v…
	go run ./krew $(TAG)

manifest-text: ## Write plugins/etp.yaml anew from krew/etp.yaml.tmpl, with the version and sums that it has
	go run ./krew -text

manifest-check: archives ## Fail where plugins/etp.yaml has other sums than the archives of TAG=v…
	go run ./krew -check $(TAG)

release: release-tools ## Publish the tag that is checked out (the workflow release does)
	$(GORELEASER)
