// The recordings alone: a module of their own, so that go install of the program does not download and unpack them. test/recordings reads them.
module github.com/kubectl-etp/kubectl-etp/test/truth

go 1.26.0
