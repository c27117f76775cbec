#!/bin/sh
# The launcher: whose exit status, whose pid, which environment; what is said
# when something is wrong; and what is refused before anything runs.

# shellcheck disable=SC2086,SC2016,SC2154,SC1091 # VIA is a list of words; the
# quoted dollars are for inner shells
. "${0%/*}/../lib/net.sh"

SW=$B/smolwrap

# says STATUS PATTERN DESCRIPTION COMMAND...: exit status, and the one line on
# standard error.
says() {
	want=$1 pattern=$2 what=$3; shift 3
	on client "$@" >"$T/out" 2>"$T/err"
	is $? "$want" "$what: exit status"
	like "$(cat "$T/err")" "$pattern" "$what: message"
}

hosts || exit 1

# --- usage ---------------------------------------------------------------
says 125 'smolwrap: no program is given*usage:*' "no words at all" "$SW"
# line STATUS PATTERN DESCRIPTION COMMAND...: as says, and it is one line.
line() {
	says "$@"
	is "$(wc -l <"$T/err")" 1 "$3: one line"
}
line 125 'smolwrap: no program is given; *--help*' "no program" "$SW" -v
line 125 'smolwrap: unknown option "--nonsense"; *--help*' "unknown option" \
    "$SW" --nonsense true
line 125 'smolwrap: unknown option "-Z"; *--help*' "unknown letter" "$SW" -Z true
line 125 'smolwrap: option "--strict" takes no value' "a value too many" \
    "$SW" --strict=yes true
line 125 'smolwrap: option "--via" needs a value' "a value too few" "$SW" --via
line 125 'smolwrap: status takes no "work"; -s NAME*' "a session's name as a word" \
    "$SW" status work
line 125 'smolwrap: cannot use this tunnel: a tunnel is written ssh://*' \
    "a tunnel as ssh writes it" "$SW" --via me@server true
line 125 'smolwrap: --identity is for ssh*, and no tunnel here is one' "a key for a mixnet" \
    "$SW" --via mix:local -i /dev/null true
says 125 'smolwrap: no tunnel is given*--via ssh://*config*' "no tunnel" \
    "$SW" true
says 125 'smolwrap: *"nowhere.invalid"*' "two tunnels, the first not there" \
    "$SW" --via ssh://nowhere.invalid --via ssh://b true
says 125 'smolwrap: *"nowhere.invalid"*' "SSH over TLS, not there" \
    "$SW" --via ssh+tls://a@nowhere.invalid --insecure true
says 125 'smolwrap: *socks5://HOST:PORT*' "a proxy of no known kind" \
    "$SW" --via ssh://a --proxy ftp://b true
says 125 'smolwrap: could not read key file "/nonexistent": No such file*' \
    "no key file" "$SW" --via ssh://a -i /nonexistent true
says 125 'smolwrap: --tls-pin is for ssh+tls://*' "a pin that nobody looks at" \
    "$SW" --via ssh://a --tls-pin sha256:00 true
says 125 'smolwrap: --insecure is for ssh+tls://*' "no TLS to be careless of" \
    "$SW" --via ssh://a --insecure true
says 125 'smolwrap: --iroh-relay is for ssh+iroh://*' "a relay for no endpoint" \
    "$SW" --via ssh+tls://a --iroh-relay https://b true
says 125 'smolwrap: --exit is for mix:*' "an exit of no mixnet" \
    "$SW" --via ssh://a --exit b true
says 125 'smolwrap: --socks-auth says who may use --socks*' \
    "passwords for no proxy" "$SW" --via ssh://a --socks-auth /dev/null true
says 125 'smolwrap: "b" names no iroh peer: give an endpoint*' \
    "an endpoint that is none" "$SW" --via ssh+iroh://b true
says 0 '' "help" "$SW" --help
says 0 '' "version" "$SW" --version
says 0 '' "help, in short" "$SW" -h
for program in smolwrap smolserve smolnode; do
	is "$("$B/$program" --help | awk 'length > 79' | head -n 1)" "" \
	    "$program --help fits 79 columns"
	for option in $("$B/$program" --help | grep -oE '(^| )--?[A-Za-z][a-z-]*' |
	    sort -u); do
		grep -qE "Fl (.* )?${option#-}( |\$)" "$SW_ROOT"/man/$program.[18] ||
			echo "$option"
	done >"$T/unknown"
	is "$(cat "$T/unknown")" "" "its options are in the manual"
done
line 125 'smolwrap: could not write to standard output: No space left*' \
    "nowhere to print" sh -c '"$0" --help >/dev/full' "$SW"

# --- the configuration file ----------------------------------------------
mkdir -p "$T/conf/smolwrap"
# configured TEXT OPTION...: what is said about a file with TEXT.
configured() {
	printf '%b\n' "$1" >"$T/conf/smolwrap/config"; shift
	on client env XDG_CONFIG_HOME="$T/conf" "$SW" "$@" 2>&1
}
like "$(configured 'via: ssh://a' true)" \
    'smolwrap: configuration*, line 1: unknown key "via:"' "a key that is none"
like "$(configured '# mine\nvia me@server' true)" \
    'smolwrap: configuration*, line 2: cannot use this tunnel:*' \
    "a tunnel that is none"
like "$(configured 'via ssh://a' -p work true)" \
    'smolwrap: configuration*no section \[work\]' "a profile that is none"
is "$(configured 'via = ssh://a' check true | sed -n 's/^result //p')" \
    "runs inside the tunnel" "check needs no configuration"
like "$(configured "via = ssh://tester@$SSHD\nexit nowhere" true)" \
    '*--exit is for mix:*' "what no tunnel of its own heeds"
is "$(configured "via mix:\nexit nowhere\n[ssh]\nvia = ssh://tester@$SSHD" \
    -p ssh echo through)" through "a profile, beside what is for another tunnel"
like "$(configured "socks $SSHD:1\nvia ssh://tester@$SSHD")" \
    "*could not listen on $SSHD port 1*" "a proxy by the file alone"

# --- the program ---------------------------------------------------------
# shellcheck disable=SC2086 # VIA is a list of words
{
says 127 'smolwrap: could not find program "nosuch"' "no such program" \
    "$SW" $VIA nosuch
printf 'not a program' >"$T/plain"
says 126 'smolwrap: could not run *Permission denied' "not executable" \
    "$SW" $VIA "$T/plain"
printf '#!/no/such/interpreter\n' >"$T/script"
chmod +x "$T/script"
says 127 'smolwrap: could not run *interpreter*' "no interpreter" \
    "$SW" $VIA "$T/script"
says 126 'smolwrap: cannot wrap *statically linked*' "static program" \
    "$SW" $VIA --isolate never "$B/tests/leak/static"
printf 'echo by the shell $#\n' >"$T/script"
is "$(on client "$SW" $VIA "$T/script" a b)" "by the shell 2" \
    "a script without #! is run by the shell, as execvp does"
}
is "$(wrapped sh -c 'exit 77'; echo $?)" 77 "the program's exit status"
is "$(wrapped sh -c 'kill -TERM $$' 2>/dev/null; echo $?)" 143 \
    "the program's death by a signal"
# shellcheck disable=SC2016
is "$(on client sh -c 'echo $$; exec "$@"' sh "$SW" $VIA \
    sh -c 'echo $$' | uniq | wc -l)" 1 "the program has the launcher's pid"
is "$(wrapped sh -c 'read -r c </proc/$$/task/$$/children; echo "$c"')" "" \
    "the program has no child that it did not make"
is "$(A='x y' wrapped sh -c 'printf %s "$A"')" "x y" "the environment is kept"
is "$(echo hello | wrapped cat)" hello "standard input is kept"
# A pipe that the session kept open would never end.
is "$(timeout 20 sh -c 'exec "$@" | cat' sh nsenter -t "$net_pid_client" -n -m \
    "$SW" $VIA echo one)" one "the session holds no descriptor of the caller"
is "$(on client sh -c 'trap "" INT; exec "$@"' sh "$SW" $VIA \
    sh -c 'grep SigIgn /proc/self/status | grep -c 2$')" 1 \
    "ignored signals stay ignored"
is "$(wrapped sh -c 'case $LD_PRELOAD in /*/libsmolwrap.so) echo yes;; esac')" \
    yes "the library is preloaded by its absolute path"
# shellcheck disable=SC2016
is "$(wrapped sh -c 'n=${SMOLWRAP_CTL%:*}; readlink /proc/self/fd/$n' |
    grep -c "^socket:")" 1 "the control channel is where the environment says"
is "$(wrapped grep -c '^Seccomp:.2' /proc/self/status)" 1 "the belt is fastened"
is "$(on client "$SW" $VIA --no-seatbelt grep -c '^Seccomp:.0' \
    /proc/self/status)" 1 "--no-seatbelt leaves it open"

# --- inherited sockets ---------------------------------------------------
cat >"$T/inherit.py" <<'END'
import os, socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
if sys.argv[1] == "loopback":
    s.close()
    s = socket.socket()
    s.bind(("127.0.0.1", 0)); s.listen()
s.set_inheritable(True)
os.execv(sys.argv[2], sys.argv[2:])
END
# shellcheck disable=SC2086
if command -v python3 >/dev/null; then
	says 125 'smolwrap: cannot start with descriptor 3: *internet socket*' \
	    "an inherited internet socket" \
	    python3 "$T/inherit.py" inet "$SW" $VIA true
	says 0 '' "--inherit takes it" \
	    python3 "$T/inherit.py" inet "$SW" $VIA --inherit true
	says 0 '' "a loopback listener may be inherited" \
	    python3 "$T/inherit.py" loopback "$SW" $VIA true
else
	skip "no python3" "inherited sockets"
fi

# --- a tunnel that does not come up --------------------------------------
# shellcheck disable=SC2086
says 125 'smolwrap: *' "nobody listens there" \
    "$SW" --via ssh://tester@$SSHD:1 -i "$KEY" --known-hosts "$KNOWN" true
: >"$T/nobody"
says 125 'smolwrap: *' "an unknown host key" \
    "$SW" --via ssh://tester@$SSHD -i "$KEY" --known-hosts "$T/nobody" true
is "$(wc -l <"$T/err")" 1 "the reason is one line"

# --- the configuration file ----------------------------------------------
mkdir -p "$HOME/.config/smolwrap"
printf 'identity %s\nknown-hosts %s\n[far]\nvia ssh://tester@%s\n' \
    "$KEY" "$KNOWN" "$SSHD" >"$HOME/.config/smolwrap/config"
says 0 '' "a profile" "$SW" -p far true
says 125 'smolwrap: configuration *no section*' "no such profile" \
    "$SW" -p near true
echo "colour blue" >>"$HOME/.config/smolwrap/config"
says 125 'smolwrap: configuration *line 5: unknown key "colour"' \
    "an unknown key" "$SW" -p far true
rm "$HOME/.config/smolwrap/config"

# --- check ---------------------------------------------------------------
is "$(on client "$SW" check sh | sed -n 's/^result //p')" \
    "runs inside the tunnel" "check: a dynamic program"
is "$(on client "$SW" check --isolate never "$B/tests/leak/static" >/dev/null; echo $?)" 1 \
    "check: a static program that may not be isolated gives 1"
is "$(on client "$SW" check nosuch 2>/dev/null; echo $?)" 1 \
    "check: no such program gives 1"

tap_end
