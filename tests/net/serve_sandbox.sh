#!/bin/sh
# What smolserve gives up: its user, privileges, system calls. On loopback,
# without namespaces: there only one user would exist. (All other tests of
# smolserve run under the filter as well.)

SW_ROOT=${SW_ROOT:-$(cd "${0%/*}" && while [ ! -d tests/lib ]; do cd ..; done
    pwd)}
B=${B:-build/default}
case $B in /*) ;; *) B=$SW_ROOT/$B;; esac
. "$SW_ROOT/tests/lib/tap.sh"

[ -x "$B/smolserve" ] || skip_all "smolserve is not built"
PATH=$PATH:/usr/sbin:/sbin
T=$(mktemp -d "${TMPDIR:-/tmp}/smolwrap-test.XXXXXX") || exit 1
pid=
# shellcheck disable=SC2317 # by the trap
leave() { [ -z "$pid" ] || kill "$pid" 2>/dev/null; rm -rf "$T"; }
trap leave EXIT
trap 'exit 130' INT TERM HUP
chmod 755 "$T"
ssh-keygen -q -t ed25519 -N '' -f "$T/key"
cp "$T/key.pub" "$T/keys"
chmod 644 "$T/keys"

user='' wanted=$(id -u)
if [ "$wanted" = 0 ] && grep -q '^nobody:' /etc/passwd; then
	user='--user nobody' wanted=$(id -u nobody)
fi
# shellcheck disable=SC2086 # a list
"$B/smolserve" -l 127.0.0.1:0 -k "$T/keys" --state "$T/state" --allow-private \
    $user >"$T/out" 2>"$T/log" &
pid=$!
n=0
until grep -q '^ready' "$T/out"; do
	n=$((n + 1))
	[ $n -lt 100 ] || { diag "$(cat "$T/log")"; skip_all "it does not start"; }
	sleep 0.1
done
field() { sed -n "s/^$1:[[:space:]]*//p" "/proc/$pid/status" | head -n 1; }
is "$(field Uid | cut -f1)" "$wanted" "it runs as the user it was told"
is "$(field Gid | cut -f1)" "$([ -z "$user" ] && id -g || id -g nobody)" \
    "and the group"
[ -z "$user" ] || is "$(field CapEff)$(field CapPrm)" \
    00000000000000000000000000000000 "without capabilities"
is "$(field NoNewPrivs)" 1 "no new privileges"
is "$(cat /proc/$pid/task/*/status | grep -c '^Seccomp:.*2$')" \
    "$(ls /proc/$pid/task | wc -l)" "every thread is filtered"
is "$(stat -c %a "$T/state/host_key")" 600 "nobody else reads the host key"
port=$(sed -n 's/^listen tcp 127.0.0.1://p' "$T/out")
sed -n "s/^hostkey /[127.0.0.1]:$port /p" "$T/out" >"$T/known"
try() {
	timeout 20 ssh -F none -p "$port" -i "$T/key" -o IdentitiesOnly=yes \
	    -o UserKnownHostsFile="$T/known" -o StrictHostKeyChecking=yes \
	    -W "127.0.0.1:$port" me@127.0.0.1 </dev/null 2>&1
}
like "$(try)" "SSH-2.0-smolserve*" "it serves: itself, through itself"
kill -HUP $pid
n=0
until grep -q 'read again' "$T/log"; do
	n=$((n + 1))
	[ $n -lt 100 ] || break
	sleep 0.1
done
like "$(cat "$T/log")" "*keys and rules were read again*" "it reads its files again"
kill -TERM $pid
wait $pid
is $? 0 "it ends in good order"
pid=
print=$(ssh-keygen -l -f "$T/state/host_key" | cut -d' ' -f2)
is "$(sed -n 's/^fingerprint //p' "$T/out")" "$print" "its fingerprint is true"

# What it says when it cannot.
says() {
	want=$1; shift
	"$B/smolserve" "$@" >"$T/out" 2>"$T/log"
	is "$? $(tail -n 1 "$T/log" | cut -c1-60)" "$want" "it says so: $want" || diag "$(cat "$T/log")"
}
says "2 smolserve: nobody could log in: give --authorized-keys FILE"
says '2 smolserve: bad value "x" for --listen' -k "$T/keys" -l x
says '2 smolserve: a tls listener needs --tls-cert and --tls-key' -k "$T/keys" \
    -l tls:0
echo "nonsense x" >"$T/bad"
says "1 smolserve: could not read who may log in; see above" -k "$T/bad" \
    --state "$T/state" -l 127.0.0.1:0
chmod 644 "$T/state/host_key"
"$B/smolserve" -k "$T/keys" --state "$T/state" -l 127.0.0.1:0 >/dev/null 2>"$T/log"
like "$? $(cat "$T/log")" "1 *is open to others*chmod 600*" \
    "a host key that others can read"
tap_end
