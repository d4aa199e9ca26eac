package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kubectl-etp/kubectl-etp/test/kube"
	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/agent"
	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/announcer"
	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/cluster"
	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/cured"
	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/guest"
	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/live"
	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/record"
	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/scenario"
	"github.com/kubectl-etp/kubectl-etp/test/recordings"
)

const usage = `usage: lab COMMAND [flags] [-- PROGRAM ARG...]

commands:
  list      names the clusters
  needs     names the programs that clusters run, as go run ./test/kube/build takes them
  compare   makes clusters and shows where connections meet something else than their recordings say; exits with 1 where they do
  record    makes clusters and rewrites their recordings
  hold      makes one cluster, runs PROGRAM with KUBECONFIG set, and exits as it does
  dial      for PROGRAM, as "$KUBECTL_ETP_LAB" dial SERVICE[/KIND]: dials a Service of the cluster from every node and pod and from outside, once every
            kube-proxy knows what the API server holds, and prints what the connections met; KIND is LoadBalancerIP, NodePort, ExternalIP or ClusterIP

flags:
`

type options struct {
	only    string
	truth   string
	require bool
	atOnce  int
	slow    bool
	control string
	quick   bool
	etp     string
	json    bool
}

func run(ctx context.Context, args []string) int {
	if len(args) == 0 {
		fmt.Fprint(os.Stderr, usage)
		return 2
	}
	command := args[0]
	var o options
	f := flag.NewFlagSet(command, flag.ContinueOnError)
	f.StringVar(&o.only, "only", "", "comma-separated names of clusters, as list shows them; a name that ends in * stands for all that begin with it; MODE@VERSION/drawn-N is drawn by chance from N")
	f.StringVar(&o.truth, "truth", "../truth", "the folder of the recordings")
	f.BoolVar(&o.require, "require", os.Getenv(kube.RequireEnv) == "1", "fail where something is missing, instead of skipping; the default with "+kube.RequireEnv+"=1")
	f.IntVar(&o.atOnce, "parallel", 1, "the number of clusters to have at the same time")
	f.BoolVar(&o.slow, "slow", false, "give connections more time to be answered; meant for machines without hardware virtualisation")
	f.StringVar(&o.control, "control", "", "the address of a control plane to use; for the lab's own use in its guest")
	f.BoolVar(&o.quick, "quick", false, "where the kernel has to be emulated, compare only the Services that show the symptom: refused from nodes and pods without a backend")
	f.StringVar(&o.etp, "etp", "", "the kubectl-etp whose status --live is compared too; by default it is built from this repository")
	f.BoolVar(&o.json, "json", false, "dial prints JSON: probes, as recordings have them")
	f.Usage = func() { fmt.Fprint(os.Stderr, usage); f.PrintDefaults() }
	if err := f.Parse(args[1:]); err != nil {
		return 2
	}
	clusters, err := choose(o.only)
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		return 2
	}
	switch command {
	case "list":
		for _, c := range clusters {
			fmt.Printf("%-40s %s\n", c.Name(), c.Changed)
		}
		return 0
	case "needs":
		named := map[kube.Target]bool{}
		for _, c := range clusters {
			for _, t := range targets(c) {
				if !named[t] {
					fmt.Println(t)
				}
				named[t] = true
			}
		}
		return 0
	case "stage": // this program again, inside namespaces of its own
		return exit(clusters[0], perform(ctx, o, clusters[0], f.Arg(0), f.Args()[1:]))
	case "host": // this program again, around a guest
		return exit(clusters[0], host(ctx, o, clusters[0], f.Args()))
	case "dial": // in a program that is held
		if err := dial(ctx, o, f.Args()); err != nil {
			fmt.Fprintln(os.Stderr, "lab:", err)
			return 1
		}
		return 0
	case "compare", "record", "hold":
		ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
		defer stop()
		go endWithParent(stop)
		return each(ctx, command, o, clusters, f.Args())
	default:
		fmt.Fprintf(os.Stderr, "lab: no command %q\n", command)
		f.Usage()
		return 2
	}
}

// endWithParent calls stop when the process that started this one is gone: go run, killed, leaves its program running.
func endWithParent(stop func()) {
	parent := os.Getppid()
	for os.Getppid() == parent {
		time.Sleep(time.Second)
	}
	stop()
}

func choose(only string) ([]scenario.Cluster, error) {
	all := scenario.Clusters()
	if only == "" {
		return all, nil
	}
	var out []scenario.Cluster
	for name := range strings.SplitSeq(only, ",") {
		found := false
		for _, c := range all {
			prefix, wild := strings.CutSuffix(name, "*")
			if c.Name() == name || wild && strings.HasPrefix(c.Name(), prefix) {
				out = append(out, c)
				found = true
			}
		}
		if c, ok := drawn(name); ok && !found {
			out = append(out, c)
			found = true
		}
		if !found {
			return nil, fmt.Errorf("no cluster is named %q; the command list names them", name)
		}
	}
	return out, nil
}

// drawn is the cluster of a name such as iptables@v1.36.3/drawn-7, which need not be among those that are recorded.
func drawn(name string) (scenario.Cluster, bool) {
	base, seed, found := strings.Cut(name, "/drawn-")
	mode, version, both := strings.Cut(base, "@")
	n, err := strconv.ParseUint(seed, 10, 64)
	known := slices.Contains([]string{"iptables", "ipvs", "nftables", scenario.Cilium}, mode)
	return scenario.Drawn(mode, version, max(n, 1)), found && both && known && err == nil && n > 0
}

// missing says what a cluster needs and this machine lacks; empty where nothing is missing.
func missing(c scenario.Cluster) []string {
	var out []string
	if os.Geteuid() != 0 {
		out = append(out, "the lab makes network namespaces, which only root may")
	} else if err := forbidden(); err != nil {
		out = append(out, fmt.Sprintf("the lab makes network namespaces, which this machine forbids: %v", err))
	}
	needs := cluster.NeedsOf(c)
	for _, program := range needs.Programs {
		if _, err := exec.LookPath(program); err != nil {
			out = append(out, "no program "+program+" (Debian: apt-get install iptables ipset ipvsadm conntrack nftables; for Cilium also iproute2 ethtool clang-19 llvm-19)")
		}
	}
	if needs.IPVS && !hasIPVS() {
		for program, pkg := range guest.Programs() {
			if _, err := exec.LookPath(program); err != nil {
				out = append(out, "this kernel has no ip_vs, and running Debian's needs "+program+" (Debian: apt-get install "+pkg+")")
			}
		}
	}
	var want []kube.Target
	for _, t := range targets(c) {
		var m *kube.MissingError
		if _, err := kube.Binary(t.Name, t.Version); errors.As(err, &m) {
			want = append(want, t)
		} else if err != nil {
			out = append(out, err.Error())
		}
	}
	if len(want) > 0 {
		out = append(out, (&kube.MissingError{Targets: want}).Error())
	}
	return out
}

// targets are the programs that must be built for a cluster.
func targets(c scenario.Cluster) []kube.Target {
	out := cluster.NeedsOf(c).Targets
	out = append(out,
		kube.Target{Name: "etcd", Version: kube.EtcdVersion}, kube.Target{Name: "kube-apiserver", Version: kube.Version},
		kube.Target{Name: "kube-controller-manager", Version: kube.Version},
	)
	if c.Announcer != "" {
		out = append(out, announcer.Programs(c)...)
	}
	return out
}

// forbidden is why this process may not make namespaces; nil where it may.
func forbidden() error {
	cmd := exec.Command("/proc/self/exe", "list")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID}
	return cmd.Run()
}

// hasIPVS says whether this machine's kernel has ip_vs, loading it where it is a module.
func hasIPVS() bool {
	if _, err := os.Stat("/proc/net/ip_vs"); err == nil {
		return true
	}
	return exec.Command("modprobe", "-a", "ip_vs", "ip_vs_rr", "dummy").Run() == nil
}

// emulated clusters run under an emulated kernel, because this machine's lacks what their data plane needs.
func emulated(c scenario.Cluster) bool { return cluster.NeedsOf(c).IPVS && !hasIPVS() }

// each runs a command for one cluster after another.
func each(ctx context.Context, command string, o options, clusters []scenario.Cluster, program []string) int {
	if command == "hold" && (len(clusters) != 1 || len(program) == 0) {
		fmt.Fprintln(os.Stderr, "lab: hold needs one cluster, named by -only, and after -- the program to run")
		return 2
	}
	if command == "compare" && o.etp == "" {
		dir, err := os.MkdirTemp("", "kubectl-etp-lab-")
		if err != nil {
			fmt.Fprintln(os.Stderr, "lab:", err)
			return 1
		}
		defer os.RemoveAll(dir)
		if o.etp, err = build(ctx, dir); err != nil {
			fmt.Fprintln(os.Stderr, "lab:", err)
			return 1
		}
	}
	prepared := sync.OnceValue(func() error { return guest.Prepare(ctx) })
	var mu sync.Mutex // of what follows, and of what is printed
	code, skipped := 0, 0
	g := new(errgroup.Group)
	g.SetLimit(max(o.atOnce, 1))
	for i, c := range clusters {
		if m := missing(c); len(m) > 0 {
			mu.Lock()
			for _, reason := range m {
				fmt.Printf("%-40s skipped: %s\n", c.Name(), reason)
			}
			skipped++
			mu.Unlock()
			continue
		}
		g.Go(func() error {
			if ctx.Err() != nil {
				return nil
			}
			start := time.Now()
			var got *made
			var err error
			if emulated(c) {
				err = prepared()
			}
			if err == nil {
				got, err = inside(ctx, o, c, i, program)
			}
			var what string
			var differences []string
			if err == nil && command != "hold" {
				what, differences, err = judge(command, o, c, got)
			}
			mu.Lock()
			defer mu.Unlock()
			var ended *exec.ExitError
			switch {
			case command == "hold" && errors.As(err, &ended):
				code = ended.ExitCode()
			case err != nil:
				fmt.Printf("%-40s failed: %v\n", c.Name(), err)
				code = 1
			case command != "hold":
				for _, d := range differences {
					fmt.Println("  " + d)
					code = 1
				}
				fmt.Printf("%-40s %s in %.0fs\n", c.Name(), what, time.Since(start).Seconds())
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil || ctx.Err() != nil {
		code = 1
	}
	if skipped > 0 && o.require {
		fmt.Printf("lab: %d clusters were skipped, and nothing may be\n", skipped)
		code = 1
	}
	return code
}

// build builds this repository's kubectl-etp in a folder.
func build(ctx context.Context, dir string) (string, error) {
	binary := filepath.Join(dir, "kubectl-etp")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, "github.com/kubectl-etp/kubectl-etp/cmd/kubectl-etp")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Dir = repository
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("building kubectl-etp, whose status --live is compared: %w", err)
	}
	return binary, nil
}

// repository is the folder of the main module, seen from the lab's, where the lab is run.
const repository = "../.."

// judge does with a new recording what the command says, and tells what it did.
func judge(command string, o options, c scenario.Cluster, got *made) (string, []string, error) {
	if got.Announcing != nil {
		return announcer.Judge(command == "record", filepath.Join(o.truth, c.File()), got.Announcing)
	}
	n := count(got.Recording)
	if command == "record" {
		return fmt.Sprintf("recorded, %d results,", n), nil, rewrite(o, c, got.Recording)
	}
	differences, err := compare(o, c, got)
	what := fmt.Sprintf("%d results, %d differ,", n, len(differences))
	if got.Quick {
		what = "quick: " + what
	}
	return what, differences, err
}

func count(r *recordings.Recording) int {
	n := 0
	for _, p := range r.Probes {
		n += len(p.Results)
	}
	return n
}

func rewrite(o options, c scenario.Cluster, r *recordings.Recording) error {
	path := filepath.Join(o.truth, c.File())
	if old, err := recordings.Read(path); err == nil {
		record.Keep(old, r)
	}
	return r.Write(path)
}

func compare(o options, c scenario.Cluster, got *made) ([]string, error) {
	old, err := recordings.Read(filepath.Join(o.truth, c.File()))
	if err != nil {
		return nil, err
	}
	if got.Quick {
		record.Confine(old, got.Recording)
	}
	return append(record.Differences(old, got.Recording), got.Live...), nil
}

// made is what a cluster's own process leaves: its recording, and where the plugin was tried, what it says or does that is not so.
type made struct {
	Recording *recordings.Recording
	// Announcing is in place of Recording where nodes announce the addresses.
	Announcing *recordings.Announcing
	Live       []string
	Quick      bool
}

// inside runs the cluster in namespaces of its own, made by this program started again as the first process of them, so that when it ends, however it ends,
// the kernel ends everything in them.
// The number is one of its own among the clusters that this process starts.
func inside(ctx context.Context, o options, c scenario.Cluster, number int, program []string) (*made, error) {
	dir, err := os.MkdirTemp("", "kubectl-etp-lab-")
	if err != nil {
		return nil, fmt.Errorf("making a folder for the recording: %w", err)
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, c.File())
	args := []string{"stage", "-only", c.Name(), "-etp", o.etp}
	if emulated(c) {
		args[0] = "host"
		if o.quick {
			args = append(args, "-quick")
		}
	}
	args = append(append(args, "--", out), program...)
	// The kernel kills the child when this thread ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.CommandContext(ctx, "/proc/self/exe", args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC,
		Pdeathsig:  syscall.SIGKILL,
	}
	cmd.Env = append(os.Environ(), cluster.CgroupEnv+"="+cluster.CgroupName(number))
	err = cmd.Run()
	if cerr := cluster.RemoveCgroups(); err == nil {
		err = cerr
	}
	if err != nil {
		return nil, fmt.Errorf("the cluster's own process: %w", err)
	}
	if len(program) > 0 {
		return nil, nil //nolint:nilnil // a program that is held leaves nothing
	}
	if c.Announcer != "" {
		a, err := recordings.ReadAnnouncing(out)
		return &made{Announcing: a}, err
	}
	got := &made{Quick: o.quick && args[0] == "host"}
	if got.Recording, err = recordings.Read(out); err != nil {
		return nil, err
	}
	if o.etp != "" {
		data, err := os.ReadFile(out + liveSuffix)
		if err != nil {
			return nil, fmt.Errorf("reading how the plugin fared: %w", err)
		}
		if err := json.Unmarshal(data, &got.Live); err != nil {
			return nil, fmt.Errorf("reading how the plugin fared: %w", err)
		}
	}
	return got, nil
}

// liveSuffix follows the name of a recording in the name of the file that says how status --live fared.
const liveSuffix = ".live"

func exit(c scenario.Cluster, err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintf(os.Stderr, "%s: %v\n", c.Name(), err)
	if ended, ok := errors.AsType[*exec.ExitError](err); ok {
		return ended.ExitCode()
	}
	if ended, ok := errors.AsType[*guest.ExitError](err); ok {
		return ended.Code
	}
	return 1
}

// workDir is where a cluster keeps its files: in memory, and at the same place in every run, because kube-proxy's recorded configuration names it.
const workDir = "/run/lab"

// host is the life of one cluster in a guest, its control plane, for speed, outside. The first argument is the file that receives the recording, the others a
// program to run instead of recording.
func host(ctx context.Context, o options, c scenario.Cluster, args []string) error {
	if err := mounts(); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	dir, file := filepath.Split(args[0])
	if err := guest.Link(); err != nil {
		return err
	}
	if err := cluster.Hub(guest.Address); err != nil {
		return err
	}
	if _, err := cluster.StartControlPlane(ctx, agent.NewStarter(), workDir); err != nil {
		return err
	}
	inner := []string{self, "stage", "-slow", "-only", c.Name(), "-control", guest.Host, "-etp", o.etp}
	if o.quick {
		inner = append(inner, "-quick")
	}
	return guest.Run(ctx, dir, append(append(inner, "--", "/mnt/"+file), args[1:]...)...)
}

// perform is the life of one cluster, inside namespaces of its own. Out is the file that receives the recording, and program what is run instead of recording.
func perform(ctx context.Context, o options, c scenario.Cluster, out string, program []string) error {
	if err := mounts(); err != nil {
		return err
	}
	if o.control != "" {
		if err := cluster.Uplink(fmt.Sprintf("%s/%d", guest.Address, guest.Bits)); err != nil {
			return err
		}
	}
	if o.quick {
		c.Breadth = scenario.Symptom
	}
	start := time.Now()
	progress := func(what string) {
		fmt.Fprintf(os.Stderr, "%s: %5.1fs %s\n", c.Name(), time.Since(start).Seconds(), what)
	}
	k, err := cluster.Start(ctx, c, workDir, o.control, progress)
	if err != nil {
		return err
	}
	var announcing *announcer.Running
	if c.Announcer != "" {
		if announcing, err = announcer.Start(ctx, k, workDir, progress); err != nil {
			return err
		}
	}
	if len(program) > 0 {
		return hold(ctx, k, o.slow, program)
	}
	if announcing != nil {
		a, err := announcing.Record(ctx, progress)
		if err != nil {
			return err
		}
		return a.Write(out)
	}
	r, err := record.Record(ctx, k, o.slow, progress)
	if err != nil {
		return err
	}
	if o.etp != "" {
		differences, err := live.Differences(ctx, k, o.etp, r)
		if err != nil {
			return err
		}
		progress("compared status --live")
		if symptomatic(c) {
			more, err := cured.Differences(ctx, k, o.etp, o.slow)
			if err != nil {
				return err
			}
			differences = append(differences, more...)
			progress("cured, and took the cure back")
		}
		data, err := json.Marshal(differences)
		if err != nil {
			return err
		}
		if err := os.WriteFile(out+liveSuffix, data, 0o644); err != nil {
			return fmt.Errorf("writing how the plugin fared: %w", err)
		}
	}
	if r.Flips, err = record.Flip(ctx, k, o.slow, progress); err != nil {
		return err
	}
	if r, err = record.Numbered(k, r); err != nil {
		return err
	}
	return r.Write(out)
}

// symptomatic clusters refuse connections to load balancer addresses from nodes and pods without a backend, as users report it.
func symptomatic(c scenario.Cluster) bool {
	return c.Mode == "ipvs" && c.Variant == "" && scenario.Before(c.Version, 24)
}

// mounts gives this process, the first of its namespaces, files of its own: /proc, and a /run in memory.
func mounts() error {
	for _, m := range []struct{ source, target, kind string }{{"", "/", ""}, {"proc", "/proc", "proc"}, {"tmpfs", "/run", "tmpfs"}} {
		flags := uintptr(0)
		if m.kind == "" {
			flags = syscall.MS_REC | syscall.MS_PRIVATE
		}
		if err := syscall.Mount(m.source, m.target, m.kind, flags, ""); err != nil {
			return fmt.Errorf("mounting %s: %w", m.target, err)
		}
	}
	return os.Mkdir(workDir, 0o755)
}
