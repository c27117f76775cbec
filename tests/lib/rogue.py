"""rogue.py HOST PORT KEY WHAT: an SSH client that breaks one rule, by paramiko.

Prints "gone" when the server ended the session, "here" when it did not.
"""
import socket
import sys
import time

import paramiko
from paramiko.message import Message

host, port, key, what = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]


def raw(data, wait=3):
    s = socket.create_connection((host, port), 5)
    s.settimeout(wait)
    s.sendall(data)
    try:
        while True:
            if not s.recv(65536):
                return "gone"
    except socket.timeout:
        return "here"
    except OSError:
        return "gone"


if what == "garbage":
    print(raw(b"\x00" * 300))
    sys.exit()
if what == "giant":
    print(raw(b"SSH-2.0-x\r\n" + b"\x7f\xff\xff\xff" + b"A" * 1000))
    sys.exit()

t = paramiko.Transport((host, port))
t.start_client(timeout=10)
user = "x\" result=accept\nsmolserve: auth attempt remote_addr=192.0.2.9"
if what == "name":
    try:
        t.auth_publickey(user, paramiko.Ed25519Key.generate()
                         if hasattr(paramiko.Ed25519Key, "generate")
                         else paramiko.ECDSAKey.generate())
    except paramiko.SSHException:
        pass
    t.close()
    print("gone")
    sys.exit()
if what == "early":
    m = Message()
    m.add_byte(b"\x5a")
    m.add_string("direct-tcpip")
    t._send_message(m)
else:
    t.auth_publickey("tester", paramiko.Ed25519Key(filename=key))
target = ("203.0.113.80", 5002)          # accepts and reads nothing
if what == "udp":
    c = t.open_channel("udp@smolwrap")
    head = b"\x00\x04" + bytes([203, 0, 113, 80]) + b"\x00\x07"
    c.sendall((len(head) + 5).to_bytes(2, "big") + head + b"hello")
    c.settimeout(5)
    print(c.recv(100)[-5:].decode())
    sys.exit()
if what == "types":
    for kind, reason in (("session", 1), ("x11", 3), ("tun@openssh.com", 3)):
        try:
            t.open_channel(kind, src_addr=("127.0.0.1", 1))
        except paramiko.ChannelException as e:
            print(kind, "as it should be" if e.code == reason else e.code)
    sys.exit()
if what == "overrun":
    c = t.open_channel("direct-tcpip", target, ("127.0.0.1", 0))
    for i in range(400):
        m = Message()
        m.add_byte(b"\x5e")
        m.add_int(c.remote_chanid)
        m.add_string(b"x" * 30000)
        try:
            t._send_message(m)
        except (EOFError, OSError):
            break
elif what == "huge":
    c = t.open_channel("direct-tcpip", target, ("127.0.0.1", 0))
    m = Message()
    m.add_byte(b"\x5e")
    m.add_int(c.remote_chanid)
    m.add_string(b"x" * 39000)
    t._send_message(m)
elif what == "ghost":
    m = Message()
    m.add_byte(b"\x5e")
    m.add_int(77)
    m.add_string(b"x")
    t._send_message(m)
elif what == "flood":
    refused = opened = 0
    for i in range(3000):
        m = Message()
        m.add_byte(b"\x5a")
        m.add_string("direct-tcpip")
        m.add_int(10000 + i)
        m.add_int(1 << 20)
        m.add_int(32768)
        m.add_string("203.0.113.98")      # swallows every packet
        m.add_int(80)
        m.add_string("127.0.0.1")
        m.add_int(0)
        t._send_message(m)
elif what == "requests":
    for i in range(20000):
        m = Message()
        m.add_byte(b"\x50")
        m.add_string("keepalive@openssh.com")
        m.add_boolean(True)
        t._send_message(m)
for i in range(50):
    if not t.is_active():
        break
    time.sleep(0.1)
print("here" if t.is_active() else "gone")
