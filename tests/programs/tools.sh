#!/bin/sh
# Package tools, other preloads, tracers, programs that pass sockets on; see
# tests/lib/row.sh.
TEST_SECONDS=${TEST_SECONDS:-1200}
. "${0%/*}/../lib/net.sh"
. "$SW_ROOT/tests/lib/row.sh"

hosts && services small dns web || exit 1
PAGE='*the page of www.example.test*'
LIBS=/usr/lib/$(uname -m)-linux-gnu

# What the package tools fetch: a Debian archive of one empty package, a Python
# index of one wheel, a package of npm's.
mkdir -p "$T/www/debian" "$T/www/simple/demo" "$T/package"
printf '%s\n' "Package: smolwrap-demo" "Version: 1" "Architecture: all" \
    "Maintainer: t <t@example.test>" "Filename: ./demo.deb" "Size: 0" \
    "SHA256: $(printf '' | sha256sum | cut -d' ' -f1)" "Description: none" \
    >"$T/www/debian/Packages"
(cd "$T/www" && /usr/bin/python3 - <<'END'
import zipfile
name = "demo-1.0-py3-none-any.whl"
info = "demo-1.0.dist-info/"
with zipfile.ZipFile("simple/demo/" + name, "w") as z:
    z.writestr("demo.py", "x = 1\n")
    z.writestr(info + "METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
    z.writestr(info + "WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    z.writestr(info + "RECORD", "")
with open("simple/demo/index.html", "w") as f:
    f.write('<a href="%s">%s</a>' % (name, name))
END
) 2>/dev/null
echo '{"name": "demo", "version": "1.0.0"}' >"$T/package/package.json"
tar -C "$T" -czf "$T/www/demo.tgz" package

APT='-o Dir=$D/apt -o Dir::State::status=/dev/null -o APT::Sandbox::User=root
    -o Acquire::Languages=none -o Acquire::Retries=0 -o Acquire::http::Timeout=10'
row "apt-get update" apt-get 80 '*smolwrap-demo*' \
    "mkdir -p \$D/apt/etc/apt/apt.conf.d \$D/apt/etc/apt/preferences.d \$D/apt/var/lib/apt/lists/partial \$D/apt/var/cache/apt/archives/partial
	echo \"deb [trusted=yes] http://\$H:\$P/debian ./\" >\$D/apt/etc/apt/sources.list
	apt-get $(echo $APT) -qq -o APT::Update::Error-Mode=any update && apt-cache $(echo $APT) pkgnames"
row "pip download" /usr/bin/pip3 80 '*demo-1.0-py3*' \
    'HOME=$D /usr/bin/pip3 -q --disable-pip-version-check --retries 0 --timeout 10 download --no-deps --trusted-host $H -i http://$H:$P/simple -d $D demo 2>&1 && ls $D'
row "npm install" npm - '*demo*' \
    'cd $D && HOME=$D npm install --silent --no-audit --no-fund --fetch-retries=0 http://$H/demo.tgz && ls node_modules'
row "valgrind curl" valgrind 80 "$PAGE" 'valgrind -q curl -sS http://$H:$P/'
row "eatmydata curl" eatmydata 80 "$PAGE" 'eatmydata curl -sS http://$H:$P/'
row "faketime curl" faketime 80 "$PAGE" \
    'faketime -f +1d curl -sS -m 10 http://$H:$P/'
for lib in libjemalloc.so.2 libtcmalloc_minimal.so.4 libmimalloc.so.2; do
	[ -e "$LIBS/$lib" ] || continue
	row "$lib curl" curl 80 "$PAGE" \
	    "LD_PRELOAD=$LIBS/$lib curl -sS http://\$H:\$P/"
done
row "tmux" tmux - '*today*' \
    'export TMUX_TMPDIR=$D; tmux -L $$ -f /dev/null new -d "nc -w 10 $H 13 </dev/null >$D/f; mv $D/f $D/g"; i=0
	until [ -e $D/g ] || [ $i -gt 100 ]; do sleep 0.1; i=$((i+1)); done; cat $D/g'
row "systemd-socket-activate" systemd-socket-activate - '*today*' \
    'systemd-socket-activate -l 127.0.0.1:8092 --inetd -a nc -w 10 $H 13 2>/dev/null & p=$!; i=0
	until nc -w 10 127.0.0.1 8092 </dev/null || [ $i -gt 50 ]; do sleep 0.1; i=$((i+1)); done; kill $p; wait'
row "curl --unix-socket" socat - "$PAGE" \
    'socat UNIX-LISTEN:$D/s,fork TCP:$H:80 & p=$!; i=0
	until [ -S $D/s ] || [ $i -gt 50 ]; do sleep 0.1; i=$((i+1)); done
	curl -sS --unix-socket $D/s http://x/; kill $p; wait'

# A client built with each sanitizer, whose interceptors have our names.
cat >"$T/client.c" <<'END'
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	struct addrinfo *a, h = { .ai_socktype = SOCK_STREAM };
	char buf[100];
	ssize_t n;
	int fd;

	if (argc != 3 || getaddrinfo(argv[1], argv[2], &h, &a) != 0)
		return 2;
	fd = socket(a->ai_family, a->ai_socktype, 0);
	if (connect(fd, a->ai_addr, a->ai_addrlen) != 0)
		return 3;
	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
		fwrite(buf, 1, (size_t)n, stdout);
	freeaddrinfo(a);
	close(fd);
	return n < 0 ? 4 : 0;
}
END
# gcc's AddressSanitizer wants to be the first library.
ASAN_OPTIONS=verify_asan_link_order=0
export ASAN_OPTIONS
for san in address undefined thread; do
	${CC:-cc} -g -fsanitize=$san "$T/client.c" -o "$T/client-$san" \
	    2>/dev/null || continue
	row "$san sanitizer" "$T/client-$san" 13 'today*' "$T/client-$san \$H \$P"
done
tap_end
