# What the targets do is in test/all and test/lab; this file only names them.

.DEFAULT_GOAL := help
BIN := bin/kubectl-etp

.PHONY: help build test unit lint docs fuzz bench lab lab-record

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## Build bin/kubectl-etp, static and stripped
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o $(BIN) ./cmd/kubectl-etp

test: ## Run every test; install and build what they need, and say what cannot run here and why
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
