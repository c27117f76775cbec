"""rogue_server.py ADDRESS HOSTKEY MODE:PORT...: SSH servers that break one
rule each, by paramiko and by hand.

Those that let a client in do so with any key, and do their mischief as soon as
it opens a stream.  "did MODE" on stdout: all of it was done; "cut MODE": the
client ended the connection before.
"""
import socket
import struct
import sys
import threading
import time

import paramiko
from paramiko.common import cMSG_CHANNEL_DATA, cMSG_CHANNEL_OPEN, \
    cMSG_CHANNEL_OPEN_SUCCESS, cMSG_CHANNEL_WINDOW_ADJUST, cMSG_DISCONNECT, \
    cMSG_GLOBAL_REQUEST
from paramiko.message import Message

MIB = 1 << 20
NASTY = "\x1b]0;owned\x07\x1b[2Jgo\r\naway\x00" + "x" * 3000


def say(*words):
    print(*words, flush=True)


def message(kind, *fields):
    m = Message()
    m.add_byte(kind)
    for f in fields:
        if isinstance(f, bool):
            m.add_boolean(f)
        elif isinstance(f, int):
            m.add_int(f)
        else:
            m.add_string(f)
    return m


def kexinit():
    lists = ["curve25519-sha256", "ssh-ed25519"] + \
        ["aes256-gcm@openssh.com"] * 2 + ["hmac-sha2-256"] * 2 + \
        ["none"] * 2 + [""] * 2
    body = b"\x14" + b"c" * 16 + b"".join(
        struct.pack(">I", len(s)) + s.encode() for s in lists) + b"\0" * 5
    pad = 4 + (-(len(body) + 9)) % 8
    return struct.pack(">IB", len(body) + pad + 1, pad) + body + b"p" * pad


class Everything(dict):
    """What paramiko has seen: it is not to mind answers to what we made up."""

    def __contains__(self, key):
        return True


# ---- before the log-in: what is sent, and then silence ----------------------

HELLO = b"SSH-2.0-rogue\r\n"
RAW = {
    "mute": b"",
    "greeting": HELLO,
    "kexinit": HELLO + kexinit(),
    "garbage": HELLO + bytes(range(256)) * 40,
    "giant": HELLO + b"\x7f\xff\xff\xff" + b"A" * 100000,
    "web": b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n<html>",
}


def raw(mode, s):
    try:
        if mode == "talk":              # lines before the greeting, for ever
            while True:
                s.sendall(b"once upon a time, and so on\r\n" * 1000)
        s.sendall(RAW[mode])
        while s.recv(65536):
            pass
    except OSError:
        pass
    say("did", mode)


# ---- after it ---------------------------------------------------------------

class Server(paramiko.ServerInterface):
    def __init__(self, mode):
        self.mode = mode
        self.opened = threading.Event()
        self.release = threading.Event()

    def get_allowed_auths(self, username):
        return "publickey"

    def check_auth_publickey(self, username, key):
        if self.mode == "auth":
            time.sleep(120)
        return paramiko.AUTH_SUCCESSFUL

    def check_channel_request(self, kind, chanid):
        return paramiko.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_port_forward_request(self, address, port):
        return port

    def check_channel_direct_tcpip_request(self, chanid, origin, destination):
        self.opened.set()
        if self.mode in ("requests", "dark"):
            self.release.wait()         # and nothing is read meanwhile
        return paramiko.OPEN_SUCCEEDED


def flood_requests(t):
    for i in range(1000000):            # the client ends it long before
        t._send_message(message(cMSG_GLOBAL_REQUEST, "x@example.test", True))


def flood_opens(t):
    for i in range(20000):
        t._send_message(message(
            cMSG_CHANNEL_OPEN, "forwarded-tcpip", 10000 + i, 1 << 20, 32768,
            "localhost", 9100, "192.0.2.1", 1000))


def overrun(t, size):
    chan = t.accept(10)
    for i in range(64 * MIB // size):
        t._send_message(message(cMSG_CHANNEL_DATA, chan.remote_chanid,
                                b"x" * size))


def windows(t):
    chan = t.accept(10)
    for i in range(1000):
        t._send_message(message(cMSG_CHANNEL_WINDOW_ADJUST,
                                chan.remote_chanid, 0xffffffff))


def ghosts(t):
    chan = t.accept(10)
    for n in (chan.remote_chanid + 1, 77, 0xffffffff):
        t._send_message(message(cMSG_CHANNEL_DATA, n, b"boo"))
        t._send_message(message(cMSG_CHANNEL_OPEN_SUCCESS, n, 1, 2, 3))
    t._send_message(message(cMSG_CHANNEL_OPEN_SUCCESS, chan.remote_chanid,
                            5, 6, 7))


def cut(t):
    m = message(cMSG_CHANNEL_DATA, 0)
    m.packet.write(b"\x7f\xff\xff\xffshort")
    t._send_message(m)


MISCHIEF = {
    "requests": flood_requests,
    "opens": flood_opens,
    "overrun": lambda t: overrun(t, 32768),
    "huge": lambda t: overrun(t, 200000),
    "windows": windows,
    "ghosts": ghosts,
    "cut": cut,
    "dark": lambda t: time.sleep(60),
    "nasty": lambda t: t._send_message(message(cMSG_DISCONNECT, 2, NASTY, "")),
}


def serve(mode, s, key):
    server = Server(mode)
    t = paramiko.Transport(s)
    t.add_server_key(key)
    t.channels_seen = Everything()
    done = "cut"
    try:
        t.start_server(server=server)
        if not server.opened.wait(60):
            return
        MISCHIEF[mode](t)
        done = "did"
    except (EOFError, OSError, AttributeError, paramiko.SSHException):
        pass
    server.release.set()
    say(done, mode)
    while t.is_active():
        time.sleep(0.1)


def listen(mode, at, key):
    while True:
        s, _ = at.accept()
        if mode in RAW or mode == "talk":
            args = (raw, (mode, s))
        else:
            args = (serve, (mode, s, key))
        threading.Thread(target=args[0], args=args[1], daemon=True).start()


paramiko.util.log_to_file("/dev/null")
key = paramiko.Ed25519Key(filename=sys.argv[2])
for word in sys.argv[3:]:
    mode, port = word.split(":")
    at = socket.create_server((sys.argv[1], int(port)))
    if mode == "requests":              # little room for what is not read
        at.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    threading.Thread(target=listen, args=(mode, at, key), daemon=True).start()
say("ready")
while True:
    time.sleep(3600)
