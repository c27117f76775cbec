#!/bin/sh
# ssh, git, rsync, ftp: programs that are several programs; see tests/lib/row.sh.
TEST_SECONDS=${TEST_SECONDS:-1200}
. "${0%/*}/../lib/net.sh"
. "$SW_ROOT/tests/lib/row.sh"

hosts && services small dns web ssh git rsync ftp || exit 1
SSH="ssh -o BatchMode=yes"
SUM=$(sha256sum <"$T/www/1m")
export SSH

row "ssh" ssh 22 'carried' '$SSH -p $P $H echo carried'
row "ssh stdin and stdout" ssh - "$SUM" '$SSH $H cat <$T/www/1m | sha256sum'
row "ssh -f -N -L" ssh - '*the page of*' \
    '$SSH -f -N -L 9000:www.example.test:80 -o ExitOnForwardFailure=yes $H &&
	curl -sS http://127.0.0.1:9000/; kill $(pgrep -f "ssh.*9000:www")'
row "ssh -J" ssh - 'two hops' \
    '$SSH -J tester@$H -o HostKeyAlias=$H tester@203.0.113.81 echo two hops'
row "scp" scp 22 "$SUM" 'scp -q -o BatchMode=yes -P $P $H:$T/www/1m $D/f && sha256sum <$D/f'
row "scp up" scp - "$SUM" \
    'scp -q -o BatchMode=yes $T/www/1m $H:$D/up && $SSH $H sha256sum "<$D/up"'
row "sftp" sftp 22 "$SUM" \
    'echo "get $T/www/1m $D/f" | sftp -q -o BatchMode=yes -P $P -b - $H >/dev/null && sha256sum <$D/f'
row "rsync over ssh" rsync 22 "$SUM" \
    'rsync -e "$SSH -p $P" $H:$T/www/1m $D/f || exit 1; sha256sum <$D/f'
row "rsync" rsync 873 "$SUM" \
    'rsync --timeout=10 rsync://$H:$P/files/1m $D/f && sha256sum <$D/f'
row "rsync -r" rsync - '*a file in a folder*' \
    'rsync -r rsync://$H/files/sub $D/ && cat $D/sub/file.txt'
row "git clone git://" git 9418 'hello' \
    'git clone -q git://$H:$P/repo.git $D/r && cat $D/r/readme'
row "git clone http" git 80 'hello' \
    'git clone -q http://$H:$P/repo.git $D/r && cat $D/r/readme'
row "git clone https" git 443 'hello' \
    'GIT_SSL_CAINFO=$CA git clone -q https://$H:$P/repo.git $D/r && cat $D/r/readme'
row "git clone ssh" git 22 'hello' \
    'GIT_SSH_COMMAND="$SSH" git clone -q ssh://$H:$P$T/www/repo.git $D/r && cat $D/r/readme'
row "git push ssh" git - 'second' \
    'export GIT_SSH_COMMAND="$SSH"; git clone -q ssh://$H$T/www/repo.git $D/r && cd $D/r && rm -rf $T/www/two.git &&
	git -c user.name=t -c user.email=t@example.test commit -q --allow-empty -m second &&
	$SSH $H git init -q --bare $T/www/two.git && git push -q ssh://$H$T/www/two.git HEAD:refs/heads/b &&
	$SSH $H git -C $T/www/two.git log -1 --format=%s b'
row "curl ftp" curl 21 '*the page of*' 'curl -sS ftp://$H:$P/index.html'
row "curl ftp upload" curl - '*a file in a folder*' \
    'curl -sS -T $T/www/sub/file.txt ftp://$H/up$$.txt && curl -sS ftp://$H/up$$.txt'
# FTP has other words for each family: the program has to meet the one that it
# asked for, or the one that the server dials.
row "wget ftp" wget 21 '*the page of*' 'wget -q -t 1 -T 10 -O- ftp://$H:$P/index.html'
row "wget ftp, IPv4 alone" wget - '*the page of*' 'wget -q -t 1 -T 10 -O- ftp://v4.example.test/index.html'
row "wget ftp, IPv4 of both" wget 21 '*the page of*' 'wget -4 -q -t 1 -T 10 -O- ftp://$H:$P/index.html'
row "curl ftp, PASV" curl 21 '*the page of*' 'curl -4 -sS --disable-epsv --no-ftp-skip-pasv-ip ftp://$H:$P/index.html'
row "lftp" lftp 21 '*the page of*' \
    'lftp -c "set net:max-retries 1; set net:timeout 8; set ftp:passive-mode on; open -p $P $H; cat index.html"'
row "ncftpget" ncftpget 21 '*the page of*' \
    'cd $D && HOME=$D ncftpget -V -t 10 -r 0 -P $P $H . index.html && cat index.html'
row "perl Net::FTP" perl - '*the page of*' \
    'perl -MNet::FTP -e "\$f = Net::FTP->new(\"$H\", Timeout => 10, Passive => 1) or die; \$f->login && \$f->get(\"index.html\", \\*STDOUT) or die"'
row "tnftp" tnftp 21 '*the page of*' 'tnftp -V -o - ftp://$H:$P/index.html'
tap_end
