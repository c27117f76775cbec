# shellcheck shell=sh disable=SC2034,SC2154 # sourced, and set through eval
# tests/lib/ways.sh - every way to an SSH server, for tests and benchmarks.
# Sourced after net.sh and smolserve.sh; `hosts` comes first.
#
#	start_ways [OPTION...]	all that is listed here, on server; the options
#				are smolserve's
#	way NAME		the words of smolwrap for it
#
# A name is TRANSPORT-SERVER or TRANSPORT-SERVER-PROXY:
#	transport	tcp tls iroh
#	server		openssh (stunnel, or our iroh endpoint, in front of it),
#			smolserve
#	proxy		socks (dante), http (tinyproxy; not for iroh, which
#			needs datagrams), each with a password
# What is not installed is missing from $WAYS.

WAY_SOCKS=1080 WAY_HTTP=3128
WAY_PASSWORD=s3cret

way_ports() {
	case $1 in
	tcp-openssh) echo 22 ;;
	tls-openssh) echo 443 ;;
	iroh-openssh) echo 4433 ;;
	tcp-smolserve) echo 2222 ;;
	tls-smolserve) echo 8443 ;;
	iroh-smolserve) echo 4434 ;;
	esac
}

start_way_stunnel() {
	printf '%s\n' "foreground = yes" "pid =" "debug = notice" "[ssh]" \
	    "accept = $SSHD:443" "connect = 127.0.0.1:22" \
	    "cert = $T/www.crt" "key = $T/www.key" >"$T/way-stunnel.conf"
	spawn server stunnel "$T/way-stunnel.conf"
	within 10 hears server 443
}

start_way_iroh() {
	# shellcheck disable=SC2016 # for the inner shell
	spawn server sh -c 'out=$1; shift; exec "$@" >"$out" 2>&1' sh \
	    "$T/way-iroh" "$LIB/iroh_pipe" listen -k "$T/way-iroh.key" \
	    -P 4433 -a "$SSHD:4433" -t 127.0.0.1:22
	within 10 grep -q '^port ' "$T/way-iroh" || return 1
	way_id_openssh=$(sed -n 's/^id //p' "$T/way-iroh")
	echo "$(sed -n 's/^name //p' "$T/way-iroh") $(cat "$T/host_key.pub")" \
	    >>"$KNOWN"
}

# Dante asks the system who a user is.
start_way_socks() {
	echo "tester:$(openssl passwd -6 "$WAY_PASSWORD"):1::::::" \
	    >"$T/way-shadow"
	on server sh -c 'mount --bind "$0" /etc/shadow' "$T/way-shadow" &&
	cat >"$T/way-danted.conf" <<-END &&
		logoutput: $T/way-danted.log
		internal: $SSHD port = $WAY_SOCKS
		external: eth1
		external: eth0
		clientmethod: none
		socksmethod: username
		user.privileged: root
		user.unprivileged: root
		client pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }
		socks pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }
	END
	spawn server danted -f "$T/way-danted.conf"
	within 10 hears server $WAY_SOCKS
}

start_way_http() {
	printf '%s\n' "Port $WAY_HTTP" "Listen $SSHD" "Timeout 600" \
	    "BasicAuth tester $WAY_PASSWORD" "LogFile \"$T/way-tinyproxy.log\"" \
	    >"$T/way-tinyproxy.conf"
	spawn server tinyproxy -d -c "$T/way-tinyproxy.conf"
	within 10 hears server $WAY_HTTP
}

# The line of known_hosts for smolserve over iroh, as smolwrap says it.
learn_way_iroh() {
	on client timeout 30 "$B/smolwrap" --via \
	    "ssh+iroh://tester@$way_id_smolserve" --iroh-address "$SSHD:4434" \
	    -i "$KEY" --known-hosts "$T/serve_known" -- true 2>&1 |
	    sed -n "s/.*echo '\(.*\)' >>.*/\1/p" >>"$T/serve_known"
}

start_ways() {
	way_proxies=
	cp "$KEY.pub" "$T/serve_keys"
	start_smolserve -l tls:8443 --tls-cert "$T/www.crt" \
	    --tls-key "$T/www.key" -l iroh:4434 --remote-forward loopback \
	    "$@" || return 1
	way_id_smolserve=$(sed -n 's/^listen iroh \([0-9a-z]*\) .*/\1/p' \
	    "$T/serve.out")
	sed -n "s/^hostkey /$SSHD,[$SSHD]:8443 /p" "$T/serve.out" \
	    >>"$T/serve_known"
	learn_way_iroh
	WAYS="tcp-openssh tcp-smolserve tls-smolserve iroh-smolserve"
	if command -v stunnel >/dev/null; then
		start_way_stunnel || return 1
		WAYS="$WAYS tls-openssh"
	fi
	if [ -x "$LIB/iroh_pipe" ]; then
		start_way_iroh || return 1
		WAYS="$WAYS iroh-openssh"
	fi
	if command -v danted >/dev/null; then
		start_way_socks || return 1
		way_proxies="socks"
	fi
	if command -v tinyproxy >/dev/null; then
		start_way_http || return 1
		way_proxies="$way_proxies http"
	fi
	way_direct=$WAYS
	for way_proxy in $way_proxies; do
		for way_name in $way_direct; do
			case $way_name-$way_proxy in
			iroh-*-http) ;;
			*) WAYS="$WAYS $way_name-$way_proxy" ;;
			esac
		done
	done
}

way() {
	way_transport=${1%%-*} way_rest=${1#*-}
	way_server=${way_rest%%-*} way_port=$(way_ports \
	    "$way_transport-${way_rest%%-*}")
	case $way_transport in
	tcp) echo "--via ssh://tester@$SSHD:$way_port" ;;
	tls) echo "--via ssh+tls://tester@$SSHD:$way_port --tls-ca $T/ca.crt" \
	    "--tls-server-name www.example.test" ;;
	iroh) eval "echo --via ssh+iroh://tester@\$way_id_$way_server" \
	    "--iroh-address $SSHD:$way_port" ;;
	esac
	case $way_rest in
	*-socks) echo "--proxy" \
	    "socks5://tester:$WAY_PASSWORD@$SSHD:$WAY_SOCKS" ;;
	*-http) echo "--proxy http://tester:$WAY_PASSWORD@$SSHD:$WAY_HTTP" ;;
	esac
	echo "-i $KEY --known-hosts"
	[ "$way_server" = smolserve ] && echo "$T/serve_known" || echo "$KNOWN"
}
