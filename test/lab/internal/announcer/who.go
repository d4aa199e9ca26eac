package announcer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/kubectl-etp/kubectl-etp/test/lab/internal/cluster"
)

// patience is how long answers to one round of requests are collected. Whoever answers does so in milliseconds, unless
// the machine is busy.
const patience = 400 * time.Millisecond

// card is a raw socket on a network card of another network namespace.
type card struct {
	socket   int
	hardware net.HardwareAddr
	ipv4     netip.Addr
	ipv6     netip.Addr
}

// neighbors finds out who answers for an address on the router's network card.
type neighbors struct {
	card     *card
	hardware map[string]string // node names by hardware address
}

func (n *neighbors) open(l *lab) error {
	card, err := openCard(l.Network.LB.PID(), "eth0", netip.MustParseAddr(cluster.RouterIP), netip.MustParseAddr(cluster.RouterIPv6))
	if err != nil {
		return err
	}
	n.card, n.hardware = card, map[string]string{}
	for _, node := range l.Network.Nodes {
		address, err := node.Run("", "cat", "/sys/class/net/eth0/address")
		if err != nil {
			return err
		}
		n.hardware[strings.TrimSpace(address)] = node.Name
	}
	return nil
}

func (n *neighbors) announced(_ *lab, addresses []netip.Addr) (map[netip.Addr][]string, error) {
	answers, err := n.card.answers(addresses)
	return names(answers, n.hardware), err
}

func (*neighbors) router() string {
	return "finds the node by ARP and neighbor discovery, with no entry from earlier; where nobody answers, the client is told at once that the host is unreachable"
}

// openCard opens the card called name in the network namespace of a process. ipv4 and ipv6 are its addresses, from
// which it asks.
func openCard(pid int, name string, ipv4, ipv6 netip.Addr) (*card, error) {
	c := &card{ipv4: ipv4, ipv6: ipv6}
	done := make(chan error)
	go func() {
		// The thread stays in the other namespace; without being unlocked, it ends with this function.
		runtime.LockOSThread()
		done <- c.open(pid, name)
	}()
	if err := <-done; err != nil {
		return nil, fmt.Errorf("opening %s of process %d: %w", name, pid, err)
	}
	return c, nil
}

func (c *card) open(pid int, name string) error {
	ns, err := netns.GetFromPid(pid)
	if err != nil {
		return err
	}
	defer ns.Close()
	if err := netns.Set(ns); err != nil {
		return err
	}
	link, err := net.InterfaceByName(name)
	if err != nil {
		return err
	}
	c.hardware = link.HardwareAddr
	everything := binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, unix.ETH_P_ALL)) // in the byte order of the network
	if c.socket, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(everything)); err != nil {
		return err
	}
	if err := unix.Bind(c.socket, &unix.SockaddrLinklayer{Protocol: everything, Ifindex: link.Index}); err != nil {
		return errors.Join(err, unix.Close(c.socket))
	}
	brief := unix.NsecToTimeval((50 * time.Millisecond).Nanoseconds())
	return unix.SetsockoptTimeval(c.socket, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &brief)
}

// answers asks for the hardware address of each IP address, by ARP or neighbor discovery, and returns every one that
// was given, by IP address.
func (c *card) answers(addresses []netip.Addr) (map[netip.Addr][]string, error) {
	out := map[netip.Addr][]string{}
	for range 2 { // in case one is lost
		for _, a := range addresses {
			frame := c.arpRequest(a)
			if a.Is6() {
				frame = c.neighborSolicitation(a)
			}
			if _, err := unix.Write(c.socket, frame); err != nil {
				return nil, fmt.Errorf("asking who has %s: %w", a, err)
			}
		}
		frame := make([]byte, 2048)
		for end := time.Now().Add(patience); time.Now().Before(end); {
			n, err := unix.Read(c.socket, frame)
			if err != nil {
				if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
					continue
				}
				return nil, fmt.Errorf("hearing who has an address: %w", err)
			}
			a, hardware, ok := answer(frame[:n])
			if ok && slices.Contains(addresses, a) && !slices.Contains(out[a], hardware.String()) {
				out[a] = append(out[a], hardware.String())
			}
		}
	}
	return out, nil
}

// ethernet is a frame of one protocol to a hardware address.
func (c *card) ethernet(to net.HardwareAddr, protocol uint16, payload []byte) []byte {
	frame := append(slices.Clone(to), c.hardware...)
	frame = binary.BigEndian.AppendUint16(frame, protocol)
	return append(frame, payload...)
}

// arpRequest is an ARP request (RFC 826).
func (c *card) arpRequest(a netip.Addr) []byte {
	p := []byte{0, 1, 8, 0, 6, 4, 0, 1} // Ethernet, IPv4, lengths of their addresses, request
	p = append(p, c.hardware...)
	p = append(p, c.ipv4.AsSlice()...)
	p = append(p, make([]byte, 6)...)
	p = append(p, a.AsSlice()...)
	return c.ethernet(net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, unix.ETH_P_ARP, p)
}

// neighborSolicitation is a neighbor solicitation (RFC 4861) to the solicited-node address.
func (c *card) neighborSolicitation(a netip.Addr) []byte {
	target := a.As16()
	to := [16]byte{0: 0xff, 1: 0x02, 11: 1, 12: 0xff, 13: target[13], 14: target[14], 15: target[15]}
	message := append([]byte{135, 0, 0, 0, 0, 0, 0, 0}, target[:]...)
	message = append(append(message, 1, 1), c.hardware...) // option: the asker's hardware address
	from := c.ipv6.As16()
	pseudo := slices.Concat(from[:], to[:], binary.BigEndian.AppendUint32(nil, uint32(len(message))), []byte{0, 0, 0, unix.IPPROTO_ICMPV6}, message)
	binary.BigEndian.PutUint16(message[2:], checksum(pseudo))
	header := binary.BigEndian.AppendUint16([]byte{0x60, 0, 0, 0}, uint16(len(message)))
	header = append(header, unix.IPPROTO_ICMPV6, 255)
	return c.ethernet(net.HardwareAddr{0x33, 0x33, to[12], to[13], to[14], to[15]}, unix.ETH_P_IPV6, slices.Concat(header, from[:], to[:], message))
}

// checksum is the Internet checksum (RFC 1071) of an even number of bytes.
func checksum(data []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(data); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(data[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// answer is the IP address and the hardware address of an ARP reply or a neighbor advertisement; ok is false for any
// other frame.
func answer(frame []byte) (a netip.Addr, hardware net.HardwareAddr, ok bool) {
	const header = 14
	if len(frame) < header {
		return netip.Addr{}, nil, false
	}
	p := frame[header:]
	switch binary.BigEndian.Uint16(frame[12:]) {
	case unix.ETH_P_ARP:
		if len(p) < 28 || !bytes.Equal(p[:8], []byte{0, 1, 8, 0, 6, 4, 0, 2}) {
			return netip.Addr{}, nil, false
		}
		a, _ = netip.AddrFromSlice(p[14:18])
		return a, net.HardwareAddr(bytes.Clone(p[8:14])), true
	case unix.ETH_P_IPV6:
		const ip, message = 40, 24
		if len(p) < ip+message+8 || p[6] != unix.IPPROTO_ICMPV6 || p[ip] != 136 {
			return netip.Addr{}, nil, false
		}
		a, _ = netip.AddrFromSlice(p[ip+8 : ip+24])
		option := p[ip+message:]
		if option[0] != 2 || option[1] != 1 {
			return netip.Addr{}, nil, false
		}
		return a, net.HardwareAddr(bytes.Clone(option[2:8])), true
	}
	return netip.Addr{}, nil, false
}
