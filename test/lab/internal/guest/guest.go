// Package guest knows how to run a program of this machine under another kernel: Debian's, in a virtual machine that sees this machine's files and cannot
// change them.
package guest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/kubectl-etp/kubectl-etp/test/kube"
)

// Programs are what Run needs on this machine, each with the Debian package that has it.
func Programs() map[string]string {
	return map[string]string{
		"qemu-system-x86_64": "qemu-system-x86", "busybox": "busybox-static", "depmod": "kmod", "apt-get": "apt", "dpkg": "dpkg",
	}
}

// boot are the modules, in this order, without which the guest cannot see this machine's files.
func boot() []string {
	return []string{
		"virtio_ring", "virtio", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_pci", "netfs", "fscache", "9pnet", "9pnet_virtio", "9p", "overlay",
	}
}

// modules are what a node's network needs and the kernel does not load by itself.
func modules() []string {
	return []string{
		"ip_vs", "ip_vs_rr", "ip_vs_wrr", "ip_vs_sh", "nf_conntrack", "dummy", "veth", "bridge", "br_netfilter", "iptable_nat", "ip6table_nat", "nf_tables",
		"xt_set", "ip_set_hash_ipport", "virtio_net",
	}
}

// kernel is an unpacked kernel package with a first file system that starts it.
type kernel struct {
	release string
	dir     string // that holds boot and lib
	initrd  string
}

// Prepare puts the guest's kernel into the cache, where it is not there yet. It must be called where the world outside can be reached.
func Prepare(ctx context.Context) error {
	if _, err := prepare(ctx); err != nil {
		return fmt.Errorf("preparing the guest's kernel: %w", err)
	}
	return nil
}

// prepare finds the kernel in the cache, or puts it there.
func prepare(ctx context.Context) (*kernel, error) {
	dir, err := kernelDir()
	if err != nil {
		return nil, err
	}
	if k := cached(dir); k != nil {
		return k, nil
	}
	cache := filepath.Dir(dir)
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, err
	}
	work, err := os.MkdirTemp(cache, "linux-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	out, err := output(ctx, work, "apt-cache", "depends", "linux-image-amd64")
	if err != nil {
		return nil, err
	}
	_, name, found := strings.Cut(out, "Depends: ")
	if !found {
		return nil, fmt.Errorf("finding Debian's kernel: linux-image-amd64 depends on nothing; apt-get update may help")
	}
	name, _, _ = strings.Cut(name, "\n")
	name = strings.TrimSpace(name)
	if _, err := output(ctx, work, "apt-get", "download", name); err != nil {
		return nil, err
	}
	debs, err := filepath.Glob(filepath.Join(work, "*.deb"))
	if err != nil || len(debs) != 1 {
		return nil, fmt.Errorf("downloading %s: found %v", name, debs)
	}
	if _, err := output(ctx, work, "dpkg", "-x", debs[0], "root"); err != nil {
		return nil, err
	}
	release := strings.TrimPrefix(name, "linux-image-")
	root := filepath.Join(work, "root")
	if _, err := output(ctx, work, "depmod", "-b", root, release); err != nil {
		return nil, err
	}
	if err := initrd(ctx, root, release); err != nil {
		return nil, err
	}
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	if err := os.Rename(root, dir); err != nil {
		return nil, err
	}
	if k := cached(dir); k != nil {
		return k, nil
	}
	return nil, fmt.Errorf("the kernel in %s is not complete", dir)
}

func kernelDir() (string, error) {
	cache, err := kube.CacheDir()
	return filepath.Join(cache, "linux"), err
}

func cached(dir string) *kernel {
	images, err := filepath.Glob(filepath.Join(dir, "boot", "vmlinuz-*"))
	k := &kernel{dir: dir, initrd: filepath.Join(dir, "initrd")}
	if err != nil || len(images) != 1 {
		return nil
	}
	if _, err := os.Stat(k.initrd); err != nil {
		return nil
	}
	k.release = strings.TrimPrefix(filepath.Base(images[0]), "vmlinuz-")
	return k
}

// initrd writes root/initrd: busybox, the modules for starting, and an init that makes this machine's files the guest's, under a layer of memory.
func initrd(ctx context.Context, root, release string) error {
	work, err := os.MkdirTemp(filepath.Dir(root), "initrd-")
	if err != nil {
		return err
	}
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		return err
	}
	var script strings.Builder
	script.WriteString("#!/busybox sh\n/busybox mkdir -p /proc /sys /dev /host /memory /root\n" +
		"/busybox mount -t proc proc /proc; /busybox mount -t sysfs sysfs /sys; /busybox mount -t devtmpfs dev /dev\n")
	files := map[string]string{"busybox": busybox}
	for _, m := range boot() {
		var path string
		err := filepath.WalkDir(filepath.Join(root, "lib", "modules", release), func(p string, _ fs.DirEntry, err error) error {
			if filepath.Base(p) == m+".ko" {
				path = p
			}
			return err
		})
		if err != nil {
			return err
		}
		if path == "" {
			return fmt.Errorf("the kernel %s has no module %s", release, m)
		}
		files[m+".ko"] = path
		script.WriteString("/busybox insmod /" + m + ".ko\n")
	}
	const options = "trans=virtio,version=9p2000.L,msize=512000"
	script.WriteString("/busybox mount -t 9p -o " + options + ",ro,cache=loose host /host\n" +
		"/busybox mount -t tmpfs memory /memory; /busybox mkdir /memory/upper /memory/work\n" +
		"/busybox mount -t overlay -o lowerdir=/host,upperdir=/memory/upper,workdir=/memory/work overlay /root\n" +
		"/busybox mount -t 9p -o " + options + " out /root/mnt\n" +
		"for d in proc sys dev; do /busybox mount -o move /$d /root/$d; done\n" +
		"exec /busybox switch_root /root /bin/sh /mnt/start\n")
	names := []string{"init"}
	if err := os.WriteFile(filepath.Join(work, "init"), []byte(script.String()), 0o755); err != nil {
		return err
	}
	for name, from := range files {
		data, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(work, name), data, 0o755); err != nil {
			return err
		}
		names = append(names, name)
	}
	out, err := os.Create(filepath.Join(root, "initrd"))
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := exec.CommandContext(ctx, busybox, "cpio", "-o", "-H", "newc")
	cmd.Dir, cmd.Stdin, cmd.Stdout = work, strings.NewReader(strings.Join(names, "\n")+"\n"), out
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("packing the guest's first file system: %w: %s", err, errOut.String())
	}
	return out.Close()
}

func output(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = dir
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(errOut.String()))
	}
	return out.String(), nil
}

// cpu is what the guest has for one. The emulator takes strings byte by byte where a CPU says that it is fast at them, calls a function for every instruction on
// vectors, and walks every level of page tables: a CPU that lacks these makes a cluster ready in two thirds of the time.
const cpu = "max,erms=off,fsrm=off,la57=off,avx=off,avx2=off,smap=off"

// Addresses on the link between this machine and the guest.
const (
	Address = "10.0.2.15" // to be taken by the guest
	Host    = "10.0.2.2"
	Bits    = 24
)

// card is this machine's end of the link.
const card = "guest"

// Link makes this machine's end of the link, in whose network namespace Run must be called.
func Link() error {
	// Where the device's file is missing, as in many containers, the kernel has the device all the same.
	const device = "/dev/net/tun"
	if _, err := os.Stat(device); errors.Is(err, fs.ErrNotExist) {
		if err := errors.Join(os.MkdirAll(filepath.Dir(device), 0o755), unix.Mknod(device, unix.S_IFCHR|0o600, int(unix.Mkdev(10, 200)))); err != nil {
			return fmt.Errorf("making %s: %w", device, err)
		}
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = card
	tap := &netlink.Tuntap{LinkAttrs: attrs, Mode: netlink.TUNTAP_MODE_TAP}
	if err := netlink.LinkAdd(tap); err != nil {
		return fmt.Errorf("making the link to the guest: %w", err)
	}
	a, err := netlink.ParseAddr(fmt.Sprintf("%s/%d", Host, Bits))
	if err == nil {
		err = errors.Join(netlink.AddrAdd(tap, a), netlink.LinkSetUp(tap))
	}
	for _, f := range tap.Fds {
		err = errors.Join(err, f.Close())
	}
	return err
}

// ExitError is how a program in the guest ended that did not end well.
type ExitError struct{ Code int }

func (e *ExitError) Error() string {
	return fmt.Sprintf("the program in the guest ended with %d", e.Code)
}

// Run runs a program of this machine as root in the guest, with the folder out at /mnt, its only way to leave anything behind. What it prints comes when it has
// ended; its errors come at once. A program that fails is an *ExitError. The guest ends with this process at the latest. Link must have been called.
func Run(ctx context.Context, out string, args ...string) error {
	dir, err := kernelDir()
	if err != nil {
		return err
	}
	k := cached(dir)
	if k == nil {
		return errors.New("the guest's kernel has not been prepared")
	}
	quoted := make([]string, len(args))
	for i, a := range args {
		quoted[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
	}
	cache, err := kube.CacheDir()
	if err != nil {
		return err
	}
	start := strings.Join([]string{
		"export HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin " + kube.CacheEnv + "='" + cache + "'",
		fmt.Sprintf("date -u -s @%d >/dev/null", time.Now().Unix()),
		"mkdir -p /lib/modules && mount --bind '" + filepath.Join(k.dir, "lib", "modules") + "' /lib/modules",
		"for m in " + strings.Join(modules(), " ") + "; do modprobe $m || echo no module $m; done",
		// kube-proxy starts these thousands of times: opening files of the other machine each time would take longer than all else.
		"for p in ipset ipvsadm iptables nft conntrack; do f=$(command -v $p) && { echo $f; ldd $f | grep -o '/[^ ]*'; }; done | xargs readlink -f | sort -u | xargs touch -c /etc/ld.so.cache",
		"ulimit -n 20000",
		strings.Join(quoted, " ") + " </dev/null >/mnt/stdout 2>/dev/console",
		"echo $? >/mnt/code", "sync", "busybox reboot -f", "",
	}, "\n")
	if err := os.WriteFile(filepath.Join(out, "start"), []byte(start), 0o644); err != nil {
		return err
	}
	// The kernel kills the guest when this thread ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// Without norandmaps a program is at other addresses each time that it starts, and the emulator would translate it anew.
	cmd := exec.CommandContext(ctx, "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", cpu, "-smp", "2", "-m", "6G",
		"-nographic", "-no-reboot", "-netdev", "tap,id=up,script=no,downscript=no,ifname="+card, "-device", "virtio-net-pci,netdev=up,romfile=", "-kernel", filepath.Join(k.dir, "boot", "vmlinuz-"+k.release), "-initrd", k.initrd,
		"-append", "console=ttyS0 quiet loglevel=1 panic=-1 mitigations=off norandmaps tsc=reliable clocksource=tsc",
		"-virtfs", "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap",
		"-virtfs", "local,path="+out+",mount_tag=out,security_model=none")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("the guest: %w", err)
	}
	code, err := os.ReadFile(filepath.Join(out, "code"))
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("the guest stopped before its program did")
	}
	if err != nil {
		return err
	}
	printed, err := os.ReadFile(filepath.Join(out, "stdout"))
	if err != nil {
		return err
	}
	if _, err := os.Stdout.Write(printed); err != nil {
		return err
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(code)))
	switch {
	case err != nil:
		return fmt.Errorf("reading how the program in the guest ended: %w", err)
	case n != 0:
		return &ExitError{n}
	default:
		return nil
	}
}
