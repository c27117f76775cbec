#!/usr/bin/python3
"""rtp.py HOST PORT [PACKETS]: a call.  Sends what a telephone does (RTP, G.711:
160 bytes each 20 ms) to a server that sends it back, and says how many came
back, how many out of order, and the jitter of RFC 3550 in milliseconds."""
import select
import socket
import struct
import sys
import time

host, port = sys.argv[1], int(sys.argv[2])
count = int(sys.argv[3]) if len(sys.argv) > 3 else 150
family, _, _, _, peer = socket.getaddrinfo(host, port, 0, socket.SOCK_DGRAM)[0]
s = socket.socket(family, socket.SOCK_DGRAM)
s.connect(peer)
start = time.monotonic()
sent = got = late = highest = 0
jitter = last = 0.0
seen = set()
while time.monotonic() < start + count * 0.02 + 3 and got < count:
    now = time.monotonic()
    if sent < count and now >= start + sent * 0.02:
        s.send(struct.pack("!BBHII", 0x80, 0, sent, sent * 160, 0x5eed)
               + bytes(160))
        sent += 1
        continue
    due = start + sent * 0.02 - now if sent < count else 0.1
    if not select.select([s], [], [], max(due, 0))[0]:
        continue
    packet = s.recv(2000)
    first, _, seq, stamp, source = struct.unpack("!BBHII", packet[:12])
    if (len(packet), first, source) != (172, 0x80, 0x5eed) or seq in seen:
        sys.exit("not what was sent")
    seen.add(seq)
    transit = time.monotonic() - start - stamp / 8000
    jitter += (abs(transit - last) - jitter) / 16 if got else 0
    last = transit
    got += 1
    late += seq < highest
    highest = max(highest, seq)
print("%d of %d, %d out of order, jitter %.1f ms" %
      (got, count, late, jitter * 1000), file=sys.stderr)
print("a call" if got >= count * 0.95 else "a bad call")
