package oracle_test

import (
	"os"
	"strings"
	"testing"
)

// kubernetesVersion is the kube-proxy that is asked.
const kubernetesVersion = "v1.36.3"

func TestVersionIsThatOfTheModule(t *testing.T) {
	file, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if want := "k8s.io/kubernetes " + kubernetesVersion + "\n"; !strings.Contains(string(file), want) {
		t.Errorf("go.mod does not require %q, which predictions are asked for", want)
	}
}
