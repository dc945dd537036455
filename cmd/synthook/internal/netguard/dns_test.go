package netguard

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
)

// dnsServer answers questions about A and AAAA records from its zone, with the chain of
// aliases that leads there, and with NXDOMAIN what is not in it.
type dnsServer struct {
	conn net.PacketConn
	done sync.WaitGroup
	mu   sync.Mutex
	zone map[string][][]string // by name: answers that take turns, addresses or one alias
	told map[string]int
}

func newDNS(t *testing.T) *dnsServer {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &dnsServer{conn: conn, zone: map[string][][]string{}, told: map[string]int{}}
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

// set makes a name have addresses, or be an alias of another.
func (d *dnsServer) set(name string, records ...string) { d.alternate(name, records) }

// alternate gives the answers in turns, to questions about A.
func (d *dnsServer) alternate(name string, answers ...[]string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.zone[name+"."] = answers
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

const (
	typeA     = 1
	typeCNAME = 5
	typeAAAA  = 28
)

// reply builds an answer (RFC 1035, 4.1) to a message with one question.
func (d *dnsServer) reply(query []byte) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	var name strings.Builder
	end := 12
	for query[end] != 0 {
		length := int(query[end])
		name.Write(query[end+1 : end+1+length])
		name.WriteByte('.')
		end += length + 1
	}
	end += 5 // the root label, type and class
	kind := binary.BigEndian.Uint16(query[end-4:])
	reply := append([]byte(nil), query[:end]...)
	flags := uint16(0x8180) // an answer, recursion available
	answers, known := d.answers(&reply, strings.ToLower(name.String()), kind)
	if !known {
		flags |= 3 // NXDOMAIN
	}
	binary.BigEndian.PutUint16(reply[2:], flags)
	binary.BigEndian.PutUint16(reply[6:], answers)
	clear(reply[8:12]) // no authority, no additional records
	return reply
}

// answers appends the records that lead from a name to its addresses.
func (d *dnsServer) answers(reply *[]byte, name string, kind uint16) (n uint16, known bool) {
	for range 10 {
		turns, ok := d.zone[name]
		if !ok {
			return n, n > 0
		}
		records := turns[d.told[name]%len(turns)]
		if kind == typeA {
			d.told[name]++
		}
		alias := ""
		for _, r := range records {
			addr, err := netip.ParseAddr(r)
			switch {
			case err != nil:
				alias = r + "."
				appendRecord(reply, name, typeCNAME, labels(alias))
			case addr.Is4() && kind == typeA:
				appendRecord(reply, name, typeA, addr.AsSlice())
			case addr.Is6() && kind == typeAAAA:
				appendRecord(reply, name, typeAAAA, addr.AsSlice())
			default:
				continue
			}
			n++
		}
		if alias == "" {
			return n, true
		}
		name = alias
	}
	return n, true
}

func appendRecord(reply *[]byte, name string, kind uint16, data []byte) {
	*reply = append(*reply, labels(name)...)
	*reply = binary.BigEndian.AppendUint16(*reply, kind)
	*reply = append(*reply, 0, 1, 0, 0, 0, 0) // IN, TTL 0
	*reply = binary.BigEndian.AppendUint16(*reply, uint16(len(data)))
	*reply = append(*reply, data...)
}

// labels writes a name that ends in a dot.
func labels(name string) (out []byte) {
	for label := range strings.SplitSeq(strings.TrimSuffix(name, "."), ".") {
		out = append(append(out, byte(len(label))), label...)
	}
	return append(out, 0)
}
