#!/bin/sh
# The network libraries of languages; see tests/lib/row.sh.
TEST_SECONDS=${TEST_SECONDS:-1200}
. "${0%/*}/../lib/net.sh"
. "$SW_ROOT/tests/lib/row.sh"

hosts && services small dns web || exit 1
services websocket || diag "rows that need it will fail natively"
PAGE='*the page of www.example.test*'
PY=/usr/bin/python3
export PY SSL_CERT_FILE="$T/ca.crt" NODE_EXTRA_CA_CERTS="$T/ca.crt" \
    REQUESTS_CA_BUNDLE="$T/ca.crt"

cat >"$T/aio.py" <<'END'
import asyncio, os
async def one():
    r, w = await asyncio.open_connection(os.environ["H"], int(os.environ["P"]))
    w.write(b"GET /1m HTTP/1.0\r\n\r\n")
    n = len((await r.read()).split(b"\r\n\r\n", 1)[1])
    w.close()
    return n
async def main():
    print(sum(await asyncio.gather(*[one() for _ in range(8)])))
asyncio.run(main())
END
cat >"$T/aioh.py" <<'END'
import aiohttp, asyncio, os
async def main():
    async with aiohttp.ClientSession() as s:
        async with s.get("http://%(H)s:%(P)s/" % os.environ) as r:
            print(await r.text())
asyncio.run(main())
END
cat >"$T/ws.py" <<'END'
import asyncio, os, websockets
async def main():
    async with websockets.connect("ws://%(H)s:%(P)s/" % os.environ) as w:
        await w.send("x" * 100000)
        print(len(await w.recv()), end=" ")
        await w.send(b"more")
        print(await w.recv())
asyncio.run(main())
END
cat >"$T/threads.py" <<'END'
import concurrent.futures, os, urllib.request
u = "http://%(H)s:%(P)s/1m" % os.environ
with concurrent.futures.ThreadPoolExecutor(8) as x:
    print(sum(x.map(lambda _: len(urllib.request.urlopen(u, timeout=15).read()),
                    range(16))))
END
cat >"$T/Get.java" <<'END'
import java.net.URI;
import java.net.http.*;
public class Get {
  public static void main(String[] a) throws Exception {
    var r = HttpClient.newHttpClient().send(HttpRequest.newBuilder(
        URI.create("http://" + a[0] + ":" + a[1] + "/")).build(),
        HttpResponse.BodyHandlers.ofString());
    System.out.println(r.body());
  }
}
END
cat >"$T/Old.java" <<'END'
import java.net.*;
import java.nio.channels.*;
public class Old {
  public static void main(String[] a) throws Exception {
    var u = new URL("http://" + a[0] + ":" + a[1] + "/").openConnection();
    u.setConnectTimeout(10000); u.setReadTimeout(10000);
    System.out.print(new String(u.getInputStream().readAllBytes()));
    var c = SocketChannel.open();
    c.configureBlocking(false);
    var s = Selector.open();
    c.register(s, SelectionKey.OP_CONNECT);
    c.connect(new InetSocketAddress(a[0], Integer.parseInt(a[1])));
    s.select(10000);
    System.out.println(c.finishConnect() ? "selected" : "no");
  }
}
END
row "python urllib" $PY 80 "$PAGE" \
    '$PY -c "import urllib.request as u; print(u.urlopen(\"http://$H:$P/\", timeout=15).read())"'
row "python urllib https" $PY 443 "$PAGE" \
    '$PY -c "import urllib.request as u; print(u.urlopen(\"https://$H:$P/\", timeout=15).read())"'
row "python requests" $PY 443 "$PAGE" \
    '$PY -c "import requests; print(requests.get(\"https://$H:$P/\", timeout=15).text)"'
row "python httpx" $PY 80 "$PAGE" '$PY -c "import httpx; print(httpx.get(\"http://$H:$P/\").text)"'
row "python aiohttp" $PY 80 "$PAGE" '$PY $T/aioh.py'
row "python websockets" $PY 8765 '100000 *more*' '$PY $T/ws.py'
row "python asyncio, 8 at a time" $PY 80 8388608 '$PY $T/aio.py'
row "python threads, 16 on 8" $PY 80 16777216 '$PY $T/threads.py'
row "python asyncio server on loopback" $PY - 'b'"'"'pong'"'" \
    '$PY -c "
import asyncio
async def f(r, w):
    w.write(b\"pong\"); w.close()
async def main():
    s = await asyncio.start_server(f, \"127.0.0.1\", 0)
    r, w = await asyncio.open_connection(*s.sockets[0].getsockname())
    print(await r.read())
asyncio.run(main())"'
row "perl LWP" perl 80 "$PAGE" \
    'perl -MLWP::UserAgent -e "\$r = LWP::UserAgent->new(timeout => 15)->get(\"http://$H:$P/\"); die unless \$r->is_success; print \$r->content"'
row "perl HTTP::Tiny" perl 80 "$PAGE" \
    'perl -MHTTP::Tiny -e "\$r = HTTP::Tiny->new(timeout => 15)->get(\"http://$H:$P/\"); die unless \$r->{success}; print \$r->{content}"'
row "ruby net/http" ruby 80 "$PAGE" \
    'ruby -rnet/http -e "puts Net::HTTP.get(URI(\"http://$H:$P/\"))"'
row "ruby TCPSocket" ruby 80 '*200 OK*' \
    'ruby -rsocket -e "s = TCPSocket.new(\"$H\", $P); s.write(\"GET / HTTP/1.0\r\n\r\n\"); x = s.read; exit 1 if x.empty?; puts x"'
row "php file_get_contents" php 80 "$PAGE" \
    'php -r "\$x = @file_get_contents(\"http://$H:$P/\"); if (\$x === false) exit(1); echo \$x;"'
row "php https" php 443 "$PAGE" \
    'php -d openssl.cafile=$CA -r "\$x = @file_get_contents(\"https://$H:$P/\"); if (\$x === false) exit(1); echo \$x;"'
row "lua socket.http" lua5.4 80 "$PAGE" \
    'lua5.4 -e "b, c = require(\"socket.http\").request(\"http://$H:$P/\"); if c ~= 200 then os.exit(1) end; print(b)"'
row "tclsh http" tclsh 80 "$PAGE" \
    'echo "package require http; set t [http::geturl http://$H:$P/ -timeout 15000]; if {[http::status \$t] ne {ok}} {exit 1}; puts [http::data \$t]" >$D/h.tcl; tclsh $D/h.tcl'
row "node http" node 80 "$PAGE" \
    'node -e "require(\"http\").get(\"http://$H:$P/\", r => r.pipe(process.stdout)).on(\"error\", () => process.exit(1))"'
row "node https" node 443 "$PAGE" \
    'node -e "require(\"https\").get(\"https://$H:$P/\", r => r.pipe(process.stdout)).on(\"error\", () => process.exit(1))"'
row "node fetch" node 80 "$PAGE" \
    'node -e "fetch(\"http://$H:$P/\").then(r => r.text()).then(console.log, () => process.exit(1))"'
row "node net, 20 at a time" node 80 '20' \
    'node -e "let n = 0; for (let i = 0; i < 20; i++) { let s = require(\"net\").connect($P, \"$H\"); s.on(\"connect\", () => s.end(\"GET / HTTP/1.0\r\n\r\n\")); s.on(\"data\", () => {}); s.on(\"error\", () => process.exit(1)); s.on(\"end\", () => { if (++n == 20) console.log(n) }); s.on(\"close\", () => { if (n == 0) process.exit(1) }) }"'
row "node dns.lookup" node - '*address*' \
    'node -e "require(\"dns\").lookup(\"$H\", {all: true}, (e, a) => console.log(e || a))"'
row "node dns.resolve4" node - "*[0-9].[0-9]*" \
    'node -e "require(\"dns\").resolve4(\"$H\", (e, a) => console.log(e ? e.code : a))"'
row "java HttpClient" java 80 "$PAGE" 'java -XX:TieredStopAtLevel=1 $T/Get.java $H $P 2>/dev/null'
row "java URLConnection, Selector" java 80 "$PAGE*selected*" \
    'java -XX:TieredStopAtLevel=1 $T/Old.java $H $P 2>/dev/null'
tap_end
