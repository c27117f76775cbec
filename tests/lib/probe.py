# probe.py HOST PORT ROOT [slow | only NAME...] - what a web server on a TLS port answers to odd
# clients: one line a probe, made to be compared with another server's.
#
# ROOT is the folder that both show; its index.html tells the date and the size.
# A line is the probe's name, what came (heads with their dates masked, bodies by
# length and digest unless they are short), and how it ended.  With `slow`, the
# probes whose answer is a time: whole seconds until the end.  With `only`, those
# of that name, with more patience.
import hashlib, os, re, socket, ssl, sys, threading, time
from email.utils import formatdate

host, port, root = sys.argv[1], int(sys.argv[2]), sys.argv[3]
slow = sys.argv[4:] == ["slow"]
only = sys.argv[5:] if sys.argv[4:5] == ["only"] else None
WAIT = 2 if only is None else 10	# seconds for an answer
mtime = int(os.stat(root + "/index.html").st_mtime)
size = os.stat(root + "/index.html").st_size
etag = '"%x-%x"' % (mtime, size)
date = lambda t: formatdate(t, usegmt=True)

def get(path="/", *fields, method="GET", version="HTTP/1.1", keep=False, body=""):
    f = ["Host: www.example.test"] + list(fields)
    if not keep:
        f.append("Connection: close")
    return ("%s %s %s\r\n%s\r\n\r\n%s" % (method, path, version, "\r\n".join(f), body)).encode("latin-1")

R = lambda *f, path="/": get(path, *f)
fast = {
 "page": get(), "no such page": get("/none"), "1.0": b"GET / HTTP/1.0\r\n\r\n",
 "1.0 with a host": get(version="HTTP/1.0"),
 "1.0 keep-alive": b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /sub/a.css HTTP/1.0\r\n\r\n",
 "0.9": b"GET /\r\n", "1.1 without a host": b"GET / HTTP/1.1\r\n\r\n",
 "two hosts": get("/", "Host: other"), "an empty host": b"GET / HTTP/1.1\r\nHost:\r\n\r\n",
 "a bad host": b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
 "1.2": get(version="HTTP/1.2"), "2.0": get(version="HTTP/2.0"), "3.0": get(version="HTTP/3.0"),
 "1": get(version="HTTP/1"), "1.10": get(version="HTTP/1.10"), "1.": get(version="HTTP/1."),
 "http lower": get(version="http/1.1"), "no version word": get(version="HTXP/1.1"),
 "h2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
 "HEAD": get(method="HEAD"), "HEAD none": get("/none", method="HEAD"),
 "HEAD folder": get("/sub", method="HEAD"),
 "HEAD keep": get(method="HEAD", keep=True) + get("/sub/a.css"),
 "folder": get("/sub"), "folder with query": get("/sub?a=b"), "empty folder": get("/empty/"),
 "folder with index": get("/sub/"), "file as folder": get("/index.html/"),
 "query": get("/?x=1"), "fragment": get("/#x"), "absolute": get("http://www.example.test/"),
 "absolute none": get("https://other.test/none"), "star": get("*"), "no slash": get("index.html"),
 "empty target": b"GET  HTTP/1.1\r\nHost: x\r\n\r\n",
 "double slash": get("//"), "double slash in": get("/sub//a.css"), "dot": get("/./index.html"),
 "dot dot in": get("/sub/../index.html"), "dot dot out": get("/../etc/passwd"),
 "dot dot end": get("/sub/.."), "dot end": get("/sub/."),
 "dots coded": get("/sub/%2e%2e/index.html"), "dots coded out": get("/%2e%2e/%2e%2e/etc/passwd"),
 "slash coded": get("/sub%2fa.css"), "nul coded": get("/%00"), "bad code": get("/%zz"), "short code": get("/%2"),
 "space coded": get("/index.html%20"), "space": get("/index.html x"), "backslash": get("/sub\\a.css"),
 "plus": get("/a+b"), "high byte": get("/\xff"), "control": get("/\x01"), "three dots": get("/..."),
 "semicolon": get("/index.html;x=1"), "dot dot dot": get("/sub/.../"), "dots named": get("/..a"),
 "OPTIONS": get(method="OPTIONS"), "OPTIONS *": get("*", method="OPTIONS"), "TRACE": get(method="TRACE"),
 "PUT": get(method="PUT"), "DELETE": get(method="DELETE"), "BREW": get(method="BREW"),
 "CONNECT": get("x:80", method="CONNECT"), "get": get(method="get"), "G@T": get(method="G@T"),
 "PROPFIND": get(method="PROPFIND"), "G-T": get(method="G-T"), "G_T": get(method="G_T"), "G1T": get(method="G1T"),
 "POST": get("/", "Content-Length: 3", method="POST", body="abc"),
 "POST none": get("/none", "Content-Length: 3", method="POST", body="abc"),
 "POST folder": get("/sub/", "Content-Length: 3", method="POST", body="abc"),
 "POST chunked": get("/", "Transfer-Encoding: chunked", method="POST", body="3\r\nabc\r\n0\r\n\r\n"),
 "POST keep": get("/", "Content-Length: 3", method="POST", keep=True, body="abc") + get("/sub/a.css"),
 "POST expect": get("/", "Content-Length: 3", "Expect: 100-continue", method="POST", body="abc"),
 "GET with body": get("/", "Content-Length: 3", keep=True, body="abc") + get("/sub/a.css"),
 "GET with chunks": get("/", "Transfer-Encoding: chunked", keep=True, body="3\r\nabc\r\n0\r\n\r\n") + get("/sub/a.css"),
 "large body": get("/", "Content-Length: 2000000", method="POST"),
 "bad length": get("/", "Content-Length: x"), "negative length": get("/", "Content-Length: -1"),
 "two lengths": get("/", "Content-Length: 0", "Content-Length: 0"),
 "length and chunks": get("/", "Content-Length: 0", "Transfer-Encoding: chunked"),
 "unknown coding": get("/", "Transfer-Encoding: gzip"),
 "range": R("Range: bytes=0-4"), "range from": R("Range: bytes=5-"), "range last": R("Range: bytes=-5"),
 "range all": R("Range: bytes=0-"), "range over": R("Range: bytes=2-99999"),
 "range last over": R("Range: bytes=-99999"), "range last 0": R("Range: bytes=-0"),
 "range beyond": R("Range: bytes=99999-"), "range turned": R("Range: bytes=5-2"),
 "range bad": R("Range: bytes=x"), "range bad 2": R("Range: bytes=1"), "range unit": R("Range: lines=1-2"),
 "range empty": R("Range: bytes="), "range blanks": R("Range: bytes= 1 - 3 "),
 "ranges": R("Range: bytes=0-1,4-5"), "ranges of one": R("Range: bytes=0-1,99999-"),
 "ranges over": R("Range: bytes=0-,0-,0-"), "ranges none": R("Range: bytes=9999-,99999-"),
 "range huge": R("Range: bytes=99999999999999999999-"), "range upper": R("Range: BYTES=0-1"),
 "range css": R("Range: bytes=1-3", path="/sub/a.css"), "ranges css": R("Range: bytes=1-3,5-", path="/sub/a.css"),
 "range HEAD": get("/", "Range: bytes=0-4", method="HEAD"), "range 1.0": get("/", "Range: bytes=0-4", version="HTTP/1.0"),
 "range of nothing": R("Range: bytes=0-", path="/nothing.txt"), "nothing": R(path="/nothing.txt"),
 "range none": R("Range: bytes=0-1", path="/none"), "two ranges fields": R("Range: bytes=0-1", "Range: bytes=2-3"),
 "ranges HEAD": get("/", "Range: bytes=0-1,4-5", method="HEAD"),
 "if-range etag": R("Range: bytes=0-4", "If-Range: " + etag), "if-range other": R("Range: bytes=0-4", 'If-Range: "x"'),
 "if-range date": R("Range: bytes=0-4", "If-Range: " + date(mtime)), "if-range later": R("Range: bytes=0-4", "If-Range: " + date(mtime + 9)),
 "if-range weak": R("Range: bytes=0-4", "If-Range: W/" + etag), "if-range junk": R("Range: bytes=0-4", "If-Range: x"),
 "since": R("If-Modified-Since: " + date(mtime)), "since later": R("If-Modified-Since: " + date(mtime + 9)),
 "since earlier": R("If-Modified-Since: " + date(mtime - 9)), "since junk": R("If-Modified-Since: x"),
 "since old style": R(time.strftime("If-Modified-Since: %A, %d-%b-%y %H:%M:%S GMT", time.gmtime(mtime))),
 "since asctime": R(time.strftime("If-Modified-Since: %a %b %e %H:%M:%S %Y", time.gmtime(mtime))),
 "unmodified": R("If-Unmodified-Since: " + date(mtime)), "unmodified earlier": R("If-Unmodified-Since: " + date(mtime - 9)),
 "unmodified junk": R("If-Unmodified-Since: x"),
 "none-match": R("If-None-Match: " + etag), "none-match other": R('If-None-Match: "x"'), "none-match star": R("If-None-Match: *"),
 "none-match weak": R("If-None-Match: W/" + etag), "none-match list": R('If-None-Match: "x", W/"y" ,' + etag),
 "none-match bare": R("If-None-Match: " + etag.strip('"')), "none-match and since": R('If-None-Match: "x"', "If-Modified-Since: " + date(mtime)),
 "none-match and earlier": R("If-None-Match: " + etag, "If-Modified-Since: " + date(mtime - 9)),
 "match": R("If-Match: " + etag), "match other": R('If-Match: "x"'), "match star": R("If-Match: *"), "match weak": R("If-Match: W/" + etag),
 "match list": R('If-Match: "x",' + etag),
 "none-match 404": R("If-None-Match: *", path="/none"), "match 404": R('If-Match: "x"', path="/none"),
 "range and since": R("Range: bytes=0-4", "If-Modified-Since: " + date(mtime)),
 "since HEAD": get("/", "If-Modified-Since: " + date(mtime), method="HEAD"), "since keep": get("/", "If-Modified-Since: " + date(mtime), keep=True) + get("/sub/a.css"),
 "match none HEAD": get("/", 'If-Match: "x"', method="HEAD"), "range beyond HEAD": get("/", "Range: bytes=99999-", method="HEAD"),
 "range beyond keep": get("/", "Range: bytes=99999-", keep=True) + get("/sub/a.css"), "match keep": get("/", 'If-Match: "x"', keep=True) + get("/sub/a.css"),
 "bare LF": b"GET / HTTP/1.1\nHost: x\nConnection: close\n\n", "blank lines first": b"\r\n\r\n" + get(),
 "blank first": b" " + get(), "CR first": b"\r" + get(), "two blanks": b"GET  /  HTTP/1.1 \r\nHost: x\r\nConnection: close\r\n\r\n",
 "tab": b"GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n", "no colon": R("nonsense"), "blank name": R(": x"), "space before colon": R("A : b"),
 "folded": R("A: b\r\n c"), "nul in field": R("A: b\0c"), "control in name": R("A\x01: b"), "high name": R("\xe4: b"),
 "underscore": R("A_B: c"), "field first blank": b"GET / HTTP/1.1\r\n Host: x\r\nConnection: close\r\n\r\n", "CR inside": R("A: b\rc"),
 "three at once": get(keep=True) + get("/none", keep=True) + get("/sub/a.css"),
 "keep-alive word": b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Keep-Alive, Upgrade\r\n\r\nGET / HTTP/1.0\r\n\r\n",
 "close among": b"GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade, close\r\n\r\n", "keep-alive 1.0 and host": get("/", "Connection: keep-alive", version="HTTP/1.0", keep=True) + get(version="HTTP/1.0"),
 "upgrade": R("Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"), "websocket": R("Upgrade: websocket"),
 "field 7000": R("A: " + "x" * 7000), "field 8200": R("A: " + "x" * 8200), "field 9000": R("A: " + "x" * 9000),
 "fields 20000": R(*["A%d: %s" % (i, "x" * 4000) for i in range(5)]), "fields 30000": R(*["A%d: %s" % (i, "x" * 7500) for i in range(4)]),
 "fields 60000": R(*["A%d: %s" % (i, "x" * 7500) for i in range(8)]), "small fields": R(*["A%d: x" % i for i in range(900)]),
 "field without end": get()[:-2] + b"A: " + b"x" * 100000,
 "path 2000": get("/" + "x" * 2000), "path 250": get("/" + "x" * 250), "path 5000": get("/" + "x" * 5000), "path 8100": get("/" + "x" * 8100),
 "path 8300": get("/" + "x" * 8300), "path 40000": get("/" + "x" * 40000), "query 5000": get("/?" + "x" * 5000),
 "method long": get(method="A" * 5000), "garbage": b"GARBAGE\r\n\r\n", "binary": b"\1\2\3\r\n\r\n", "zeros": bytes(100), "blank": b"\r\n", "dot": b".\r\n",
 "another SSH": b"SSH-3.0-x\r\n", "SSH cut": b"SSH-2\r\n", "SMTP": b"EHLO x\r\n", "RDP": b"\3\0\0\x13\x0e\xe0\0\0\0\0\0\1\0\x08\0\3\0\0\0", "TLS in TLS": b"\x16\x03\x01\0\xa5\1\0\0\xa1\3\3" + bytes(170), "SOCKS5": b"\5\1\0", "SOCKS4": b"\4\1\0\x50\x01\2\3\4\0", "letters": b"abcdefgh",
}
# Without TLS.
plain = {"plain page": get(), "plain 1.0": b"GET / HTTP/1.0\r\n\r\n", "plain garbage": b"GARBAGE\r\n\r\n", "plain binary": b"\1\2\3\4\5\6\r\n", "plain SSH": b"SSH-2.0-x\r\n",
 "plain HEAD": get(method="HEAD"), "plain POST": get(method="POST"), "plain 9000": R("A: " + "x" * 9000), "plain SMTP": b"EHLO x\r\n", "plain get": b"get / HTTP/1.0\r\n\r\n", "plain 0.9": b"GET /\r\n",
 "bad hello": b"\x16\x03\x01\0\x05hello" + b"x" * 100, "old hello": b"\x80\x2e\1\0\2\0\x15\0\0\0\x10" + b"x" * 40, "alert": b"\x15\x03\x01\0\2\2\x28", "zeros plain": bytes(64), "1.0 hello cut": b"\x16\x03\x01"}
# Only part of something, and then silence, or the end.
part = {"half a request": b"GET / HT", "half a head": b"GET / HTTP/1.1\r\nHost: x\r\n", "half a body": get("/", "Content-Length: 10", method="POST", body="abc"), "nothing": b"", "half an SSH": b"SSH-2."}

def reader(s, out, deadline):
    s.settimeout(max(0.1, deadline - time.time()))
    try:
        while True:
            b = s.recv(65536)
            if not b:
                return "end"
            out.append(b)
            s.settimeout(max(0.1, deadline - time.time()))
    except (socket.timeout, TimeoutError):
        return "open"
    except ssl.SSLError as e:
        return "cut" if "EOF" in str(e) else "tls:" + str(e.reason)
    except ConnectionResetError:
        return "reset"
    except OSError as e:
        return e.__class__.__name__

def mask(data):
    text = data.decode("latin-1")
    text = re.sub(r"Date: [^\r]*", "Date: *", text)
    bound = re.search(r"boundary=(\S+)", text)
    if bound:
        text = text.replace(bound.group(1), "B" * len(bound.group(1)))
    if len(text) > 3000:
        text = text[:3000] + "...%d %s" % (len(data), hashlib.md5(data).hexdigest())
    return repr(text)

def probe(data, tls, wait, end):
    t = time.time()
    s = socket.create_connection((host, port), 5)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if tls:
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        c.check_hostname = False
        c.verify_mode = ssl.CERT_NONE
        c.set_alpn_protocols(["http/1.1"])
        s = c.wrap_socket(s, server_hostname="www.example.test", suppress_ragged_eofs=False)
    out = []
    try:
        if data:
            s.sendall(data)
        if end == "shut" and not tls:
            s.shutdown(socket.SHUT_WR)
    except OSError:
        pass
    how = reader(s, out, t + wait)
    took = time.time() - t
    s.close()
    got = mask(b"".join(out))
    return "%s %s" % (got, how), took

def run(name, data, tls, wait, end, timed):
    try:
        got, took = probe(data, tls, wait, end)
        if timed:
            got += " after %d s" % round(took)
    except Exception as e:
        got = repr(e)
    lines[name] = got

# Handshakes: what was agreed upon, or the alert.
def hello(low=None, high=None, alpn=None, sni="www.example.test", ciphers=None):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname = False
    c.verify_mode = ssl.CERT_NONE
    c.set_ciphers(ciphers or "ALL:@SECLEVEL=0")
    if low:
        c.minimum_version, c.maximum_version = low, high
    if alpn:
        c.set_alpn_protocols(alpn)
    s = socket.create_connection((host, port), 5)
    try:
        s = c.wrap_socket(s, server_hostname=sni)
        return "%s %s" % (s.version(), s.selected_alpn_protocol())
    except ssl.SSLError as e:
        return "refused: %s" % e.reason
    except OSError as e:
        return e.__class__.__name__
    finally:
        s.close()

V = ssl.TLSVersion
hellos = {
 "newest": dict(), "1.3 only": dict(low=V.TLSv1_3, high=V.TLSv1_3), "1.2 only": dict(low=V.TLSv1_2, high=V.TLSv1_2),
 "1.1 only": dict(low=V.TLSv1_1, high=V.TLSv1_1), "1.0 only": dict(low=V.TLSv1, high=V.TLSv1),
 "h2 and 1.1": dict(alpn=["h2", "http/1.1"]), "h2 only": dict(alpn=["h2"]), "1.0 by name": dict(alpn=["http/1.0"]),
 "nonsense by name": dict(alpn=["x"]), "no name": dict(sni=None), "another name": dict(sni="other.test"),
 "h2 only in 1.2": dict(alpn=["h2"], low=V.TLSv1_2, high=V.TLSv1_2),
 "RSA only in 1.2": dict(ciphers="aRSA:@SECLEVEL=0", low=V.TLSv1_2, high=V.TLSv1_2),
}

lines, threads = {}, []
if slow:
    todo = [("TLS: " + n, d, True, 100, None, True) for n, d in part.items()]
    todo += [("plain: " + n, d, False, 100, None, True) for n, d in list(part.items())[:2] + [("nothing", b""), ("half a hello", b"\x16\x03\x01\2")]]
    todo += [("kept", get(keep=True), True, 100, None, True)]
else:
    todo = [(n, d, True, WAIT, None, False) for n, d in fast.items()]
    todo += [(n, d, False, WAIT, None, False) for n, d in plain.items()]
    todo += [("shut " + n, d, False, WAIT, "shut", False) for n, d in plain.items()]
    todo = [a for a in todo if only is None or a[0] in only]
for i in range(0, len(todo), 16):
    for a in todo[i:i + 16]:
        t = threading.Thread(target=run, args=a)
        t.start()
        threads.append(t)
    if not slow:
        for t in threads:
            t.join()
for t in threads:
    t.join()
for a in todo:
    print("%s: %s" % (a[0], lines[a[0]]))
for n in hellos:
    if not slow and (only is None or "hello " + n in only):
        print("hello %s: %s" % (n, hello(**hellos[n])))
