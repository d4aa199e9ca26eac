package detect

import (
	"path"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-etp/kubectl-etp/pkg/cluster"
)

// Words are a container's command and arguments, also where a shell is given all of them in one string.
func Words(container *corev1.Container) []string {
	var out []string
	for _, part := range slices.Concat(container.Command, container.Args) {
		out = append(out, strings.Fields(part)...)
	}
	return out
}

// Flags reads --name=value and --name value. A flag without a value is "true".
func Flags(words []string) map[string]string {
	out := map[string]string{}
	for i := 0; i < len(words); i++ {
		word, ok := strings.CutPrefix(words[i], "--")
		if !ok {
			continue
		}
		name, value, hasValue := strings.Cut(word, "=")
		if !hasValue {
			value = "true"
			if i+1 < len(words) && !strings.HasPrefix(words[i+1], "-") {
				value = words[i+1]
				i++
			}
		}
		out[name] = strings.Trim(value, `"'`)
	}
	return out
}

func isTrue(s string) bool {
	b, err := strconv.ParseBool(s)
	return err == nil && b
}

// ImageName is the last part of an image's path, without tag and digest.
func ImageName(image string) string {
	name, _ := splitImage(image)
	return path.Base(name)
}

// ImageTag is the tag of an image, "" where there is none.
func ImageTag(image string) string {
	_, tag := splitImage(image)
	return tag
}

func splitImage(image string) (name, tag string) {
	image, _, _ = strings.Cut(image, "@")
	if colon := strings.LastIndexByte(image, ':'); colon > strings.LastIndexByte(image, '/') {
		return image[:colon], image[colon+1:]
	}
	return image, ""
}

func imageVersion(image string) cluster.Version {
	version, _ := cluster.ParseVersion(ImageTag(image))
	return version
}

// agentImage is the image of a DaemonSet's agent: of the container whose name begins with prefix, or whose image has that name, else of the first.
func agentImage(set *appsv1.DaemonSet, prefix string) string {
	containers := set.Spec.Template.Spec.Containers
	for i := range containers {
		if strings.HasPrefix(containers[i].Name, prefix) || ImageName(containers[i].Image) == prefix {
			return containers[i].Image
		}
	}
	if len(containers) > 0 {
		return containers[0].Image
	}
	return ""
}

func hasContainer(spec *corev1.PodSpec, name string) bool {
	return slices.ContainsFunc(spec.Containers, func(c corev1.Container) bool { return c.Name == name })
}

func mountsConfigMap(spec *corev1.PodSpec, name string) bool {
	return slices.ContainsFunc(spec.Volumes, func(v corev1.Volume) bool { return v.ConfigMap != nil && v.ConfigMap.Name == name })
}
