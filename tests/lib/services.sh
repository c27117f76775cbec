# shellcheck shell=sh disable=SC2034,SC2154 # sourced, and set through eval
# tests/lib/services.sh - servers on inet, by name. Sourced by net.sh.
#
# services NAME...: starts each and waits until it listens. Returns 1, and says
# which, when one could not be started; a test may skip what needs it.

services() {
	for svc in "$@"; do
		"start_$svc" || { diag "could not start $svc"; return 1; }
	done
}

start_small() {
	spawn inet "$LIB/serve" "$T/serve-log"
	pid_serve=$!
	within 5 hears inet 5007
}

# The one place where names are known; `neverland.test` is in none. Not in
# debug mode (no-daemon), where one TCP connection keeps all others waiting.
start_dns() {
	{
		# More than a datagram holds.
		for net_i in $(seq 1 100); do
			echo "host-record=many.example.test,198.51.100.$net_i"
		done
		cat <<-END
			no-resolv
			no-hosts
			keep-in-foreground
			user=
			pid-file=
			local=/#/
			log-queries
			log-facility=$T/dns-log
			host-record=www.example.test,$WWW,$WWW6
			host-record=v4.example.test,$WWW
			host-record=v6.example.test,$WWW6
			host-record=dark.example.test,$DARK
			host-record=two.example.test,$NOBODY
			host-record=two.example.test,$WWW
			cname=alias.example.test,www.example.test
			mx-host=example.test,www.example.test,10
			txt-record=example.test,"hello from the far side"
			srv-host=_http._tcp.example.test,www.example.test,80
			ptr-record=80.113.0.203.in-addr.arpa,www.example.test
			enable-tftp
			tftp-root=$T/www
		END
	} >"$T/dnsmasq.conf"
	mkdir -p "$T/www"
	spawn inet dnsmasq -C "$T/dnsmasq.conf"
	within 5 hears inet 53
}

# Pages: / is a line of text, /1m and /10m the same bytes every time, /slow is
# sent at 100 KB/s, /brisk at 250, /auth asks who you are.
start_web() {
	mkdir -p "$T/www/sub" "$T/nginx"
	echo '<html><body>the page of www.example.test</body></html>' \
	    >"$T/www/index.html"
	echo 'a file in a folder' >"$T/www/sub/file.txt"
	dd if=/dev/zero bs=1M count=10 2>/dev/null | openssl enc -aes-128-ctr \
	    -K 00112233445566778899aabbccddeeff -iv 0 >"$T/www/10m" 2>/dev/null
	head -c 1048576 "$T/www/10m" >"$T/www/1m"
	cat >"$T/nginx.conf" <<-END
		user root;
		worker_processes 1;
		daemon off;
		pid $T/nginx/pid;
		error_log $T/nginx/error.log;
		events { worker_connections 4000; }
		http {
			types { text/html html; text/plain txt; }
			default_type application/octet-stream;
			access_log $T/nginx/access.log;
			client_body_temp_path $T/nginx/body;
			proxy_temp_path $T/nginx/proxy;
			fastcgi_temp_path $T/nginx/fastcgi;
			uwsgi_temp_path $T/nginx/uwsgi;
			scgi_temp_path $T/nginx/scgi;
			client_max_body_size 64m;
			server {
				listen 80 backlog=2048;
				listen [::]:80;
				listen 443 ssl http2;
				listen [::]:443 ssl http2;
				server_name www.example.test;
				ssl_certificate $T/www.crt;
				ssl_certificate_key $T/www.key;
				root $T/www;
				location /slow {
					alias $T/www/1m;
					limit_rate 100k;
				}
				location /brisk {
					alias $T/www/1m;
					limit_rate 250k;
				}
				location /where {
					return 200 "\$remote_addr\n";
				}
			}
		}
	END
	spawn inet nginx -c "$T/nginx.conf" -e "$T/nginx/error.log"
	pid_nginx=$!
	within 5 hears inet 443
}

start_ssh() {
	start_sshd inet
}

# A repository served by git daemon, as files, over http (dumb) and over ssh.
start_git() {
	(mkdir -p "$T/work" "$T/www" && cd "$T/work" &&
	git init -q . && echo hello >readme && git add readme &&
	git -c user.name=t -c user.email=t@example.test commit -qm first &&
	git clone -q --bare . "$T/www/repo.git" &&
	git -C "$T/www/repo.git" update-server-info) >"$T/git.log" 2>&1 ||
		return 1
	spawn inet git daemon --reuseaddr --export-all \
	    --base-path="$T/www" "$T/www"
	within 5 hears inet 9418
}

start_rsync() {
	printf '%s\n' "use chroot = no" \
	    "lock file = $T/rsync.lock" "[files]" "path = $T/www" \
	    >"$T/rsyncd.conf"
	spawn inet unshare -U --map-user=1000 --map-group=1000 \
	    rsync --daemon --no-detach --config="$T/rsyncd.conf"
	within 5 hears inet 873
}

start_ftp() {
	mkdir -p "$T/www"
	printf '%s\n' listen_ipv6=YES background=NO anonymous_enable=YES \
	    run_as_launching_user=YES ftp_username=root anon_root="$T/www" \
	    seccomp_sandbox=NO isolate=NO isolate_network=NO \
	    no_anon_password=YES one_process_model=NO pasv_enable=YES \
	    secure_chroot_dir="$T/www" xferlog_enable=NO write_enable=YES \
	    anon_upload_enable=YES anon_umask=022 connect_from_port_20=NO >"$T/vsftpd.conf"
	spawn inet vsftpd "$T/vsftpd.conf"
	within 5 hears inet 21
}

start_redis() {
	spawn inet redis-server --bind "$WWW" "$WWW6" --protected-mode no \
	    --save "" --dir "$T"
	within 10 hears inet 6379
}

# postgres and others refuse uid 0, so they too run one user namespace further
# down.
as_tester="unshare -U --map-user=1000 --map-group=1000"

start_postgres() {
	pg=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -n 1)
	[ -n "$pg" ] || return 1
	# shellcheck disable=SC2086
	on inet $as_tester "$pg/initdb" -D "$T/pg" -A trust -U tester \
	    >"$T/pg.log" 2>&1 || return 1
	echo "host all all all trust" >>"$T/pg/pg_hba.conf"
	# shellcheck disable=SC2086
	spawn inet $as_tester "$pg/postgres" -D "$T/pg" -h "*" -k "$T"
	within 20 hears inet 5432
}

start_mariadb() {
	command -v mariadbd >/dev/null || return 1
	mkdir -p "$T/mariadb"
	# shellcheck disable=SC2086 # a list of words
	on inet $as_tester mariadb-install-db --no-defaults --user=tester \
	    --datadir="$T/mariadb" --auth-root-authentication-method=normal \
	    --skip-test-db >"$T/mariadb.log" 2>&1 || return 1
	# shellcheck disable=SC2086
	spawn inet $as_tester mariadbd --no-defaults --datadir="$T/mariadb" \
	    --socket="$T/mariadb.sock" --pid-file="$T/mariadb.pid" \
	    --port=3306 --skip-name-resolve --skip-grant-tables --skip-networking=0
	within 30 hears inet 3306
}

start_samba() {
	command -v smbd >/dev/null || return 1
	mkdir -p "$T/smb/files" "$T/smb/run"
	echo "a file of samba's" >"$T/smb/files/note"
	cat >"$T/smb.conf" <<-END
		[global]
		map to guest = Bad User
		guest account = tester
		interfaces = $WWW $WWW6
		bind interfaces only = yes
		smb ports = 445
		disable netbios = yes
		private dir = $T/smb
		state directory = $T/smb
		cache directory = $T/smb
		lock directory = $T/smb/run
		pid directory = $T/smb/run
		ncalrpc dir = $T/smb/run/rpc
		log file = $T/smb/log
		load printers = no
		printing = bsd
		printcap name = /dev/null
		[files]
		path = $T/smb/files
		guest ok = yes
	END
	# shellcheck disable=SC2086
	spawn inet $as_tester smbd -F --no-process-group -s "$T/smb.conf"
	within 20 hears inet 445
}

start_ldap() {
	mkdir -p "$T/ldap"
	[ -x /usr/sbin/slapd ] || return 1
	cat >"$T/slapd.conf" <<-END
		include /etc/ldap/schema/core.schema
		modulepath /usr/lib/ldap
		moduleload back_mdb
		pidfile $T/ldap/pid
		database mdb
		suffix "dc=example,dc=test"
		rootdn "cn=admin,dc=example,dc=test"
		rootpw secret
		directory $T/ldap
	END
	spawn inet slapd -d 0 -f "$T/slapd.conf" -h "ldap://$WWW/"
	within 10 hears inet 389 || return 1
	printf '%s\n' "dn: dc=example,dc=test" "objectClass: dcObject" \
	    "objectClass: organization" "o: example" "dc: example" |
	    on inet ldapadd -x -H "ldap://$WWW/" -w secret \
	    -D "cn=admin,dc=example,dc=test" >"$T/ldapadd.log" 2>&1
}

start_iperf() {
	spawn inet iperf3 -s
	within 5 hears inet 5201
}

# The other program of that name; start_small has its port.
start_iperf2() {
	command -v iperf >/dev/null || return 1
	spawn inet iperf -s -p 5009
	within 5 hears inet 5009
}

start_websocket() {
	/usr/bin/python3 -c "import websockets" 2>/dev/null || return 1
	spawn inet /usr/bin/python3 "$SW_ROOT/tests/lib/websocket.py" \
	    "$WWW" "$WWW6" 8765
	within 10 hears inet 8765
}

# A keyserver of one key, whose fingerprint is in $FINGERPRINT.
start_keyserver() {
	command -v gpg >/dev/null && command -v dirmngr >/dev/null || return 1
	mkdir -m 700 "$T/gpg"
	gpg --homedir "$T/gpg" --batch --quiet --passphrase '' \
	    --quick-generate-key 'A Tester <a@example.test>' ed25519 default \
	    never 2>"$T/gpg.log"
	FINGERPRINT=$(gpg --homedir "$T/gpg" --with-colons --list-keys \
	    2>>"$T/gpg.log" | awk -F: '/^fpr/ { print $10; exit }')
	export FINGERPRINT
	mkdir -p "$T/keys/pks"
	gpg --homedir "$T/gpg" --armor --export >"$T/keys/pks/lookup"
	gpgconf --homedir "$T/gpg" --kill all
	spawn inet /usr/bin/python3 -m http.server -d "$T/keys" -b :: 11371
	within 5 hears inet 11371
}

start_smtp() {
	spawn inet /usr/bin/python3 "$SW_ROOT/tests/lib/mail.py" "$T/mail"
	within 5 hears inet 110
}

# HTTP/3 by ngtcp2.  Its client asks the kernel for a route and binds to the
# address of that one's device.
start_quic() {
	command -v gtlsserver >/dev/null || return 1
	spawn inet gtlsserver -q -d "$T/www" '*' 4443 "$T/www.key" "$T/www.crt"
	within 5 on inet grep -q ':115B ' /proc/net/udp
}

start_ncat_tls() {
	spawn inet ncat -l -k --ssl --ssl-cert "$T/www.crt" --ssl-key \
	    "$T/www.key" 4433 -e /bin/cat
	within 5 hears inet 4433
}

# One mailbox of one letter. Root would want to become others, which a
# namespace of one user does not allow: an ordinary user serves it.
start_imap() {
	command -v dovecot >/dev/null || return 1
	mkdir -p "$T/imap/mail/cur" "$T/imap/mail/new" "$T/imap/mail/tmp" \
	    "$T/imap/run"
	printf 'From: a@example.test\nSubject: hi\n\na letter\n' \
	    >"$T/imap/mail/new/1.M1.host"
	cat >"$T/dovecot.conf" <<-END
		base_dir = $T/imap/run
		state_dir = $T/imap/run
		log_path = $T/imap/log
		protocols = imap
		listen = $WWW, $WWW6
		default_internal_user = mailer
		default_internal_group = mailer
		default_login_user = mailer
		ssl = no
		disable_plaintext_auth = no
		mail_location = maildir:$T/imap/mail
		service anvil {
			chroot =
		}
		service imap-login {
			chroot =
			inet_listener imap {
				port = 143
			}
			inet_listener imaps {
				port = 0
			}
		}
		passdb {
			driver = static
			args = password=secret
		}
		userdb {
			driver = static
			args = uid=1000 gid=1000 home=$T/imap
		}
	END
	echo mailer:x:1000:1000::/:/bin/sh >>"$T/etc-inet/passwd"
	echo mailer:x:1000: >>"$T/etc-inet/group"
	spawn inet unshare -U --map-user=1000 --map-group=1000 dovecot -F -c "$T/dovecot.conf"
	within 10 hears inet 143
}

start_irc() {
	command -v ngircd >/dev/null || return 1
	cat >"$T/ngircd.conf" <<-END
		[Global]
		Name = irc.example.test
		Info = a server for one test
		AdminInfo1 = nobody
		ServerUID = 1000
		ServerGID = 1000
		Listen = $WWW,$WWW6
		Ports = 6667
		MotdPhrase = welcome
		[Options]
		DNS = no
		Ident = no
		PAM = no
	END
	spawn inet unshare -U --map-user=1000 --map-group=1000 ngircd -n -f "$T/ngircd.conf"
	within 10 hears inet 6667
}
