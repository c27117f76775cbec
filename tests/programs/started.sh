#!/bin/sh
# Programs that are started in odd ways, and programs that start others and
# pass them sockets; see tests/lib/row.sh.
TEST_SECONDS=${TEST_SECONDS:-600}
. "${0%/*}/../lib/net.sh"
. "$SW_ROOT/tests/lib/row.sh"

hosts && services small dns web || exit 1
PY=/usr/bin/python3
GET="nc -w 10 www.example.test 13"
export PY GET

row "chroot" chroot - 'today*' 'chroot / $GET </dev/null'
row "a user namespace" unshare - 'today*' 'unshare -Ur $GET </dev/null'
row "a process namespace" unshare - 'today*' \
    'unshare -mpf --mount-proc $GET </dev/null'
row "bubblewrap, an empty environment" bwrap - '*the page of*' \
    'bwrap --ro-bind / / --dev /dev --proc /proc --unshare-pid --unshare-user --clearenv curl -sS http://www.example.test/'
row "setpriv" setpriv - 'today*' \
    'setpriv --no-new-privs --inh-caps=-all $GET </dev/null'
row "timeout" timeout - '*124' 'timeout 1 nc $H 5002 </dev/null; echo $?'
row "the loader itself" nc.openbsd - 'today*' \
    'for l in /lib64/ld-linux-x86-64.so.2 /lib/ld-linux-aarch64.so.1; do
	[ ! -e $l ] || $l $(command -v nc.openbsd) -w 10 $H 13 </dev/null; done'
row "all at once: LD_BIND_NOW" nc - 'today*' 'LD_BIND_NOW=1 $GET </dev/null'
row "16 descriptors" curl - '*the page of*' 'ulimit -n 16; curl -sS http://$H/'
row "400 MB of address space" nc - 'today*' 'ulimit -v 400000; $GET </dev/null'
row "200 KB of stack" nc - 'today*' 'ulimit -s 200; $GET </dev/null'
row "no standard descriptors" nc - 'today*' \
    'sh -c "exec $GET" </dev/null 2>&- | cat; sh -c "exec 0<&- 1>&- 2>&-; exec nc -w 1 $H 13"; :'
row "GNU parallel" parallel - '4' \
    'HOME=$D parallel --will-cite -j4 "nc -w 10 {} 13 </dev/null" ::: $H $H $WWW $H | grep -c today'
row "make -j4 of curl" make - '4' \
    'printf "all: a b c d\n%%:\n\t@curl -sS -o \$\$D/\$@ http://\$\$H/1m\n" >$D/M
	make -s -j4 -f $D/M && for f in a b c d; do cmp $D/$f $T/www/1m && echo; done | wc -l'
row "bash, process substitution" bash - 'today*today*' \
    'bash -c "cat <($GET </dev/null) <($GET </dev/null)"'
row "bash, a coprocess" bash - 'today*' \
    'bash -c "coproc N { $GET; }; head -n 1 <&\${N[0]}"'

cat >"$T/kinds.py" <<'END'
import multiprocessing, os, socket
def echo(s, q):
    s.sendall(b"from the child"); q.put(s.recv(100)); s.close()
def connect(q):
    s = socket.create_connection((os.environ["H"], 13)); q.put(s.recv(5)); s.close()
def serve(l):
    c = l.accept()[0]; c.sendall(b"served"); c.close()
def all_done(ps):
    for p in ps: p.start()
    return ps
if __name__ == "__main__":
    for how in "fork", "spawn", "forkserver":
        kind = multiprocessing.get_context(how)
        q = kind.Queue()
        s = socket.create_connection((os.environ["H"], 7))
        p, = all_done([kind.Process(target=echo, args=(s, q))])
        print(how, q.get(timeout=30)); p.join()
        s.sendall(b"and on"); print(s.recv(100)); s.close()
        ps = all_done([kind.Process(target=connect, args=(q,)) for _ in range(4)])
        print([q.get(timeout=30) for _ in ps]); [p.join() for p in ps]
    l = socket.create_server(("127.0.0.1", 0))
    ps = all_done([multiprocessing.get_context("fork").Process(target=serve,
        args=(l,)) for _ in range(3)])
    for _ in ps: print(socket.create_connection(l.getsockname()).recv(100))
    [p.join() for p in ps]
END
cat >"$T/fork.pl" <<'END'
use IO::Socket::INET;
my $l = IO::Socket::INET->new(Listen => 8, LocalAddr => "127.0.0.1") or die;
my $server = fork;
if (!$server) {
	for (1 .. 4) {
		my $c = $l->accept or die;
		next if fork;
		print $c readline(IO::Socket::INET->new(
		    PeerAddr => $ENV{H}, PeerPort => 13) // die);
		exit 0;
	}
	1 while wait > 0;
	exit 0;
}
print readline(IO::Socket::INET->new(PeerAddr => "127.0.0.1",
    PeerPort => $l->sockport) // die) for 1 .. 4;
waitpid $server, 0;
print "ended with $?\n";
END
cat >"$T/activate.py" <<'END'
import os, socket, sys
if len(sys.argv) > 1:			# the one that is activated
    s = socket.socket(fileno=3)
    c = s.accept()[0]
    c.sendall(socket.create_connection((os.environ["H"], 13)).recv(5))
    sys.exit(0)
l = socket.create_server(("127.0.0.1", 0))
pid = os.fork()
if pid == 0:
    os.dup2(l.fileno(), 3)
    os.set_inheritable(3, True)
    os.execve(sys.executable, [sys.executable, __file__, "x"],
        {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid()), "H": os.environ["H"]})
print(socket.create_connection(l.getsockname()).recv(100), os.waitpid(pid, 0)[1])
END
row "python multiprocessing" $PY - "fork*from the child*and on*spawn*forkserver*served*served*" \
    '$PY $T/kinds.py'
row "a forking server, by perl" perl - 'today*today*today*today*ended with 0' \
    'perl $T/fork.pl'
row "sockets handed to a fresh program" $PY - "b'today' 0" '$PY $T/activate.py'
row "a connection handed to a fresh program" bash - '*7 *by hand*' \
    'bash -c "exec 3<>/dev/tcp/$H/7; echo by hand >&3; exec $PY -c \"import socket; s = socket.socket(fileno=3); print(s.getpeername()[1], s.recv(20))\""'
row "ssh-like closing of all descriptors" $PY - 'today*' \
    '$PY -c "import os; os.closerange(3, 4096); os.execvp(\"nc\", [\"nc\", \"-w\", \"10\", os.environ[\"H\"], \"13\"])" </dev/null'
tap_end
