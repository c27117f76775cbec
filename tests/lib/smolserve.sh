# shellcheck shell=sh disable=SC2034,SC2154 # sourced, and set through eval
# tests/lib/smolserve.sh - a smolserve on the server host. Sourced after net.sh.
#
#	start_smolserve [OPTION...]	on 10.9.0.1:2222, for the user's key
#	stop_smolserve			by SIGTERM; waits; its status is the result
#	openssh COMMAND-WORDS...	ssh on client, to it
#	via_smolserve			the words of smolwrap for it
# SMOLSERVE names another one (a sanitizer's), SMOLSERVE_FLAGS what that needs.
# Its log is $T/serve.log, what it prints $T/serve.out.

start_smolserve() {
	: >"$T/serve.out"
	# shellcheck disable=SC2016,SC2086 # for the inner shell; a list
	spawn server sh -c 'out=$1 log=$2; shift 2; exec "$@" >"$out" 2>>"$log"' \
	    sh "$T/serve.out" "$T/serve.log" "${SMOLSERVE:-$B/smolserve}" \
	    -l 2222 -k "$T/serve_keys" --state "$T/serve-state" \
	    $SMOLSERVE_FLAGS "$@"
	pid_smolserve=$!
	within 10 grep -q '^ready' "$T/serve.out" || {
		diag "$(cat "$T/serve.log")"
		return 1
	}
	sed -n "s/^hostkey /[$SSHD]:2222 /p" "$T/serve.out" >"$T/serve_known"
}

stop_smolserve() {
	kill -TERM "$pid_smolserve"
	wait "$pid_smolserve"
}

SERVE_VIA="--via ssh://tester@$SSHD:2222 -i $KEY --known-hosts $T/serve_known"

openssh() {
	openssh_as "$KEY" "$@"
}

# openssh_as KEY WORDS...
openssh_as() {
	openssh_key=$1; shift
	on client timeout 60 ssh -F none -p 2222 -i "$openssh_key" \
	    -o IdentitiesOnly=yes -o UserKnownHostsFile="$T/serve_known" \
	    -o StrictHostKeyChecking=yes -o ExitOnForwardFailure=yes "$@"
}

via_smolserve() {
	# shellcheck disable=SC2086 # SERVE_VIA is a list of words
	on client "$B/smolwrap" $SERVE_VIA -- "$@"
}

# get HOST PATH: an HTTP request through ssh -W, whole.
get() {
	printf 'GET %s HTTP/1.0\r\n\r\n' "$2" |
	    openssh -W "$1" "tester@$SSHD"
}
