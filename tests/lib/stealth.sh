# shellcheck shell=sh disable=SC2154 # set through eval
# tests/lib/stealth.sh - smolserve's TLS port beside an nginx with the same
# files. Sourced after net.sh and smolserve.sh.
#
#	start_twins	nginx on inet, smolserve on the server host
#	probe_twins [slow]	the names of the probes that tell them apart; what
#			they said is in $T/real and $T/ours

start_twins() {
	mkdir -p "$T/site/sub" "$T/site/empty" "$T/nginx"
	echo '<p>an ordinary page, and not the shortest</p>' >"$T/site/index.html"
	echo 'body { color: black }' >"$T/site/sub/a.css"
	: >"$T/site/nothing.txt"
	touch -d @1700000000 "$T/site/index.html"
	cat >"$T/twin.conf" <<-END
		user root;
		worker_processes 1;
		daemon off;
		pid $T/nginx/pid;
		error_log $T/nginx/error.log;
		events { worker_connections 400; }
		http {
			include /etc/nginx/mime.types;
			default_type application/octet-stream;
			server_tokens off;
			access_log off;
			client_body_temp_path $T/nginx/body;
			proxy_temp_path $T/nginx/proxy;
			fastcgi_temp_path $T/nginx/fastcgi;
			uwsgi_temp_path $T/nginx/uwsgi;
			scgi_temp_path $T/nginx/scgi;
			server {
				listen 443 ssl;
				ssl_protocols TLSv1.2 TLSv1.3;
				ssl_certificate $T/www.crt;
				ssl_certificate_key $T/www.key;
				root $T/site;
			}
		}
	END
	spawn inet nginx -c "$T/twin.conf" -e "$T/nginx/error.log"
	within 5 hears inet 443 || return 1
	cp "$KEY.pub" "$T/serve_keys"
	start_smolserve -l tls:443 --tls-cert "$T/www.crt" \
	    --tls-key "$T/www.key" --web "$T/site"
}

# Both from the server's host, which alone reaches both.  What seems to differ on
# a busy machine is asked once more, with more patience.
probe_twins() {
	probe_both "$@"
	[ "$1" = slow ] || [ ! -s "$T/differ" ] || {
		mv "$T/real" "$T/all"
		# shellcheck disable=SC2046 # a list, quoted
		eval "probe_both only $(sed "s/.*/'&'/" "$T/differ" | tr '\n' ' ')"
		diff "$T/real" "$T/ours" >"$T/diff"
		mv "$T/all" "$T/real"
	}
	cat "$T/differ"
}
probe_both() {
	on server /usr/bin/python3 "$SW_ROOT/tests/lib/probe.py" $WWW 443 \
	    "$T/site" "$@" >"$T/real" 2>"$T/real.err"
	on server /usr/bin/python3 "$SW_ROOT/tests/lib/probe.py" $SSHD 443 \
	    "$T/site" "$@" >"$T/ours" 2>"$T/ours.err"
	diff "$T/real" "$T/ours" | sed -n 's/^[<>] \([^:]*\): .*/\1/p' |
	    sort -u >"$T/differ"
}
