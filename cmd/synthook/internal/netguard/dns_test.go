package netguard

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"sync"
	"testing"
)

// dnsServer answers every question about A records with the addresses it was given, and
// with NXDOMAIN where it was given none.
type dnsServer struct {
	conn  net.PacketConn
	done  sync.WaitGroup
	mu    sync.Mutex
	addrs []netip.Addr
}

func newDNS(t *testing.T) *dnsServer {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &dnsServer{conn: conn}
	d.done.Go(d.serve)
	t.Cleanup(d.stop)
	return d
}

func (d *dnsServer) stop() {
	_ = d.conn.Close()
	d.done.Wait()
}

func (d *dnsServer) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", d.conn.LocalAddr().String())
	}}
}

func (d *dnsServer) answer(addrs ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.addrs = nil
	for _, a := range addrs {
		d.addrs = append(d.addrs, netip.MustParseAddr(a))
	}
}

func (d *dnsServer) serve() {
	buf := make([]byte, 1500)
	for {
		n, from, err := d.conn.ReadFrom(buf)
		if err != nil {
			return
		}
		_, _ = d.conn.WriteTo(d.reply(buf[:n]), from)
	}
}

// reply builds an answer (RFC 1035, 4.1) to a message with one question.
func (d *dnsServer) reply(query []byte) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	end := 12
	for query[end] != 0 {
		end += int(query[end]) + 1
	}
	end += 5 // the root label, type and class
	kind := binary.BigEndian.Uint16(query[end-4:])
	reply := append([]byte(nil), query[:end]...)
	flags := uint16(0x8180) // an answer, recursion available
	if len(d.addrs) == 0 {
		flags |= 3 // NXDOMAIN
	}
	binary.BigEndian.PutUint16(reply[2:], flags)
	var answers uint16
	for _, addr := range d.addrs {
		if kind != 1 { // A
			break
		}
		answers++
		reply = append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4) // the question's name, A, IN, TTL 0, 4 bytes
		reply = append(reply, addr.AsSlice()...)
	}
	binary.BigEndian.PutUint16(reply[6:], answers)
	clear(reply[8:12]) // no authority, no additional records
	return reply
}
