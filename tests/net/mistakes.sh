#!/bin/sh
# What everybody does wrong on the first day: no line in known_hosts, no key, a
# wrong one, a wrong port, half an installation. One line each, and what it says
# to do helps.

. "${0%/*}/../lib/net.sh"

hosts || exit 1
product || skip_all "smolwrap is not built"
SW=$B/smolwrap
TO="--via ssh://tester@$SSHD"

# told PATTERN DESCRIPTION COMMAND...: fails as smolwrap does, by that one line.
told() {
	pattern=$1 what=$2; shift 2
	on client timeout 60 "$@" >"$T/out" 2>"$T/err" </dev/null
	is $? 125 "$what"
	# shellcheck disable=SC2254 # the pattern is meant to be one
	like "$(cat "$T/err")" "smolwrap: $pattern" "$what: what to do"
	is "$(wc -l <"$T/err")" 1 "$what: one line"
}

# shellcheck disable=SC2086 # TO is a list of words
{
# --- a new user: no folder, no key, no agent -------------------------------
mv "$HOME/.ssh" "$T/away"
told "the server's key is not known:*SHA256:*accept it with: mkdir*&& echo*" \
    "no folder for known_hosts" "$SW" $TO -i "$KEY" true
sed -n 's/.*accept it with: //p' "$T/err" >"$T/accept"
on client sh "$T/accept"
is "$(on client "$SW" $TO -i "$KEY" echo in 2>&1)" in "what it says to do helps"
is "$(stat -c %a "$HOME/.ssh")" 700 "the folder is the user's alone"
told '*does not let user "tester" in (*): there is no key to offer, and no agent; name*' \
    "no key" "$SW" $TO true
told '*does not let user "tester" in (*): there is no key to offer, and no agent; name*' \
    "an agent that is gone" env SSH_AUTH_SOCK="$T/nobody" "$SW" $TO true
eval "$(ssh-agent -s -a "$T/agent")" >/dev/null
told '*user "tester" in (*): there is no key file, and the agent has no key that it takes; *ssh-add*' \
    "an empty agent" "$SW" $TO true
ssh-agent -k >/dev/null
unset SSH_AUTH_SOCK

# --- keys that do not help -----------------------------------------------------
ssh-keygen -q -t ed25519 -N '' -f "$T/other_key"
told '*user "tester" in (*): it refused 1 key file; name*' "a key that the server does not know" \
    "$SW" $TO -i "$T/other_key" true
ssh-keygen -q -t ed25519 -N secret -f "$T/locked"
told '*key file "*/locked" has a passphrase*ssh-add*' "a key with a passphrase" \
    "$SW" $TO -i "$T/locked" true
told '*key file "*/user_key.pub" is not a private key' "the public half of a key" \
    "$SW" $TO -i "$KEY.pub" true
told 'could not read known hosts file *: Is a directory' "a folder of known hosts" \
    "$SW" $TO -i "$KEY" --known-hosts "$T" true
}
rm -r "$HOME/.ssh"
mv "$T/away" "$HOME/.ssh"

# --- who answers there ------------------------------------------------------------
told "could not connect to \"$SSHD\" port 24: Connection refused" "nobody there" \
    "$SW" --via "ssh://tester@$SSHD:24" true
spawn server "$LIB/serve" "$T/serve-log"
within 10 hears server 5007
told '*ended before an SSH server answered: is the port right*' "another service" \
    "$SW" --via "ssh://tester@$SSHD:13" true
told '*ended before an SSH server answered: is the port right*' "who hangs up" \
    "$SW" --via "ssh://tester@$SSHD:5005" true
told 'could not find the address of "gateway.test": *' "a server's unknown name" \
    "$SW" --via ssh://tester@gateway.test true

# --- this machine -------------------------------------------------------------
mkdir "$T/half" && cp "$SW" "$B/libsmolwrap.so" "$T/half"
: >"$T/half/smolwrap-session"
told 'could not start the session program "*smolwrap-session": Permission denied' \
    "half an installation" "$T/half/smolwrap" --via "ssh://tester@$SSHD" true
told '*too few descriptors; raise "ulimit -n"' "no descriptors" \
    sh -c 'ulimit -n 9; exec "$0" --via ssh://tester@$SSHD true' "$SW"

told 'cannot use SMOLWRAP_LOG "loud": it is err, warn, info or debug' \
    "a level that is none" env SMOLWRAP_LOG=loud "$SW" --via "ssh://tester@$SSHD" \
    sh -c 'exit 125'
told 'could not open the log "/nonexistent/log": No such file*' \
    "a log that cannot be written" env SMOLWRAP_LOG=info \
    SMOLWRAP_LOG_FILE=/nonexistent/log "$SW" --via "ssh://tester@$SSHD" \
    sh -c 'exit 125'

# --- a session that is up --------------------------------------------------
ok "up" on client "$SW" up --via "ssh://tester@$SSHD"
told '*"default" is already up; "smolwrap down"*' "up twice" \
    "$SW" up --via "ssh://tester@$SSHD"
told 'cannot add --socks*give them to "smolwrap up"*' "a proxy, later" "$SW" -D 1080
told 'cannot give --identity to a session that is up*' "a key, later" \
    "$SW" -i "$KEY" true
# shellcheck disable=SC2016 # for the inner shell
like "$(on client "$SW" sh -c '"$0" check "$0" | grep ^isolation' "$SW")" \
    "isolation no: not from within a wrapped program;*--isolate always*" \
    "no isolation from within"
if isolation; then
	is "$(on client "$SW" --isolate always "$SW" check "$SW" |
	    grep ^isolation)" "isolation yes" "but from within an isolated one"
else
	skip "no isolation here" "but from within an isolated one"
fi
ok "down" on client "$SW" down
told 'no tunnel is given*' "nothing is up any more" sh -c '"$0" -D 1080 2>&1 | head -n 1 >&2; exit 125' "$SW"

# Progress is for terminals that know how to erase a line.
waits() {
	on client env TERM="$1" script -qec \
	    "timeout 3 $SW --via ssh://tester@$SSHD:5002 true" /dev/null </dev/null
}
like "$(waits xterm)" "*smolwrap: *...*" "a terminal sees what is waited for"
is "$(waits dumb)" "" "a dumb one nothing"
tap_end
