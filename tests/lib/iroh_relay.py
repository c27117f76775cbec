#!/usr/bin/python3
"""A stand-in for an iroh relay: plain HTTP, protocol v2, a thread per client.

	iroh_relay.py ADDRESS PORT

It passes datagrams on and answers pings.  It takes an endpoint's word for its
id: Python has no Ed25519 (make interop-iroh tries the real relay, which checks).
SIGUSR1 drops every client, as a restart would.
"""
import base64
import hashlib
import os
import signal
import socket
import struct
import sys
import threading

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
clients = {}			# id -> Client; the newest wins
lock = threading.Lock()


class Client:
    def __init__(self, sock):
        self.sock = sock
        self.file = sock.makefile("rb")
        self.write_lock = threading.Lock()

    def send(self, message):
        n = len(message)
        head = b"\x82" + (bytes([n]) if n < 126 else b"\x7e" + struct.pack(">H", n)
                          if n < 65536 else b"\x7f" + struct.pack(">Q", n))
        with self.write_lock:
            self.sock.sendall(head + message)

    def read(self, n):
        data = self.file.read(n)
        if len(data) != n:
            raise EOFError
        return data

    def recv(self):
        first, n = self.read(2)
        masked, n = n & 128, n & 127
        if n == 126:
            n, = struct.unpack(">H", self.read(2))
        elif n == 127:
            n, = struct.unpack(">Q", self.read(8))
        if not masked or n > 1 << 20:
            raise EOFError
        mask = self.read(4)
        data = self.read(n)
        if first & 15 == 8:
            raise EOFError
        key = int.from_bytes(mask * (n // 4 + 1), "big") >> (8 * (4 - n % 4))
        return (int.from_bytes(data, "big") ^ key).to_bytes(n, "big") if n else b""

    def upgrade(self):
        head = {}
        request = self.file.readline(4096)
        while True:
            line = self.file.readline(4096).strip()
            if not line:
                break
            name, _, value = line.partition(b":")
            head[name.strip().lower()] = value.strip()
        if not request.startswith(b"GET /relay ") or \
                b"iroh-relay-v2" not in head.get(b"sec-websocket-protocol", b""):
            self.sock.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            raise EOFError
        proof = base64.b64encode(hashlib.sha1(
            head[b"sec-websocket-key"] + GUID).digest())
        self.sock.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Protocol: iroh-relay-v2\r\n"
            b"Sec-WebSocket-Accept: " + proof + b"\r\n\r\n")

    def greet(self):
        self.send(b"\0" + os.urandom(16))
        answer = self.recv()
        if len(answer) != 98 or answer[0] != 1 or answer[33] != 64:
            raise EOFError
        self.id = answer[1:33]
        with lock:
            old, clients[self.id] = clients.get(self.id), self
        if old:
            old.send(b"\x0d\x01")
        self.send(b"\x02")

    def serve(self):
        while True:
            message = self.recv()
            kind = message[0]
            if kind in (4, 5):
                with lock:
                    peer = clients.get(message[1:33])
                if peer:
                    try:
                        peer.send(bytes([kind + 2]) + self.id + message[33:])
                    except OSError:
                        pass
            elif kind == 9:
                self.send(b"\x0a" + message[1:])

    def run(self):
        try:
            self.upgrade()
            self.greet()
            self.serve()
        except (EOFError, OSError, KeyError, ValueError, IndexError):
            pass
        with lock:
            if clients.get(getattr(self, "id", None)) is self:
                del clients[self.id]
        self.sock.close()


def drop_all(*_):
    for c in list(clients.values()):
        try:
            c.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def main():
    listener = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=64)
    signal.signal(signal.SIGUSR1, drop_all)
    while True:
        sock, _ = listener.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=Client(sock).run, daemon=True).start()


main()
