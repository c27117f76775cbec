"""load.py HOST PORT KEY SESSIONS CHANNELS TARGET TPORT PID: many at once.

Opens SESSIONS sessions with CHANNELS channels each, sends a line through every
one of them, all of them open, and reads it back.  Prints the counts and the
server's memory, in lines for a test to read.
"""
import concurrent.futures as cf
import sys
import time

import paramiko

host, port, key = sys.argv[1], int(sys.argv[2]), sys.argv[3]
nsessions, nchannels = int(sys.argv[4]), int(sys.argv[5])
target, pid = (sys.argv[6], int(sys.argv[7])), sys.argv[8]
user_key = paramiko.Ed25519Key(filename=key)


def memory():
    with open("/proc/%s/status" % pid) as f:
        return next(int(x.split()[1]) for x in f if x.startswith("VmRSS"))


def session(_):
    try:
        t = paramiko.Transport((host, port))
        t.banner_timeout = t.auth_timeout = t.handshake_timeout = 120
        t.start_client(timeout=120)
        t.auth_publickey("tester", user_key)
        return t
    except Exception as e:               # counted, not fatal
        print("session:", e, file=sys.stderr)
        return None


def channels(t):
    out = []
    for _ in range(nchannels):
        try:
            out.append(t.open_channel("direct-tcpip", target,
                                      ("127.0.0.1", 0), timeout=60))
        except Exception as e:
            print("channel:", e, file=sys.stderr)
    return out


def speak(args):
    i, c = args
    line = b"channel %d\n" % i
    try:
        c.settimeout(60)
        c.sendall(line)
        got = b""
        while len(got) < len(line):
            piece = c.recv(100)
            if not piece:
                break
            got += piece
        return got == line
    except Exception:
        return False


start = memory()
began = time.time()
with cf.ThreadPoolExecutor(32) as pool:
    ts = [t for t in pool.map(session, range(nsessions)) if t is not None]
    print("sessions", len(ts))
    print("session_kib %.1f" % ((memory() - start) / max(1, len(ts))))
    opened = memory()
    cs = [c for many in pool.map(channels, ts) for c in many]
    print("channels", len(cs))
    print("channel_kib %.2f" % ((memory() - opened) / max(1, len(cs))))
    print("answers", sum(pool.map(speak, enumerate(cs))))
print("memory_kib", memory(), file=sys.stdout)
print("seconds %.0f" % (time.time() - began))
sys.stdout.flush()
import os
os._exit(0)
