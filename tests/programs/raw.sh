#!/bin/sh
# nc and its kin, shells, interpreters with bare sockets; see tests/lib/row.sh.
TEST_SECONDS=${TEST_SECONDS:-1200}
. "${0%/*}/../lib/net.sh"
. "$SW_ROOT/tests/lib/row.sh"

hosts && services small dns ncat_tls || exit 1
row "nc line" nc 13 'today*' 'nc -w 10 $H $P </dev/null'
row "nc -N" nc 7 'through nc' 'echo through nc | nc -N $H $P'
row "nc -N 300 KB" nc - '300000' 'head -c 300000 /dev/zero | nc -N $H 7 | wc -c'
row "nc.traditional" nc.traditional 7 'old nc' 'echo old nc | nc.traditional -q 1 $H $P'
row "ncat" ncat 7 'through ncat' 'echo through ncat | ncat $H $P'
row "ncat --ssl echo" ncat 4433 'in TLS' '(echo in TLS; sleep 4) | ncat --ssl $H $P'
row "socat" socat 7 'through socat' 'echo through socat | socat -t 10 - TCP:$H:$P'
row "socat -6" socat 7 'six' 'echo six | socat -t 10 - TCP6:$H:$P'
row "socat options" socat 7 'options' \
    'echo options | socat -t 10 - TCP:$H:$P,nodelay,keepalive,keepidle=5,linger=5,sndbuf=100000,bind=0.0.0.0'
row "socat EXEC" socat 13 'today*' 'socat -t 10 EXEC:"cat" TCP:$H:$P >/dev/null; socat -u -t 10 TCP:$H:$P -'
row "bash /dev/tcp" bash 7 'by bash' \
    'bash -c "exec 3<>/dev/tcp/$H/$P && echo by bash >&3 && head -n1 <&3"'
row "bash /dev/tcp, exec cat" bash 13 'today*' \
    'bash -c "exec 3<>/dev/tcp/$H/$P && exec cat <&3"'
row "telnet" telnet 13 '*today*' 'sleep 1 | telnet $H $P'
row "whois" whois 43 '*you asked for me*' 'whois -h $H -p $P me'
row "finger" finger - '*you asked for joe*' 'finger joe@$H'
row "perl IO::Socket::INET" perl 13 'today*' \
    'perl -MIO::Socket::INET -e "\$s = IO::Socket::INET->new(PeerAddr => \"$H\", PeerPort => $P) or die; print <\$s>"'
row "perl socket()" perl 13 'today*' \
    'perl -MSocket -e "socket(S, PF_INET, SOCK_STREAM, 6) && connect(S, sockaddr_in($P, inet_aton(\"$H\") || die)) or die; print <S>"'
row "tclsh socket" tclsh 13 'today*' \
    'echo "puts [gets [socket $H $P]]" >$D/a.tcl; tclsh $D/a.tcl'
row "tclsh socket -async" tclsh 13 'today*' \
    'printf "set s [socket -async $H $P]\nfileevent \$s readable {set x [gets \$s]; if {\$x eq {}} {exit 1}; puts \$x; exit 0}\nafter 15000 {exit 2}\nvwait forever\n" >$D/a.tcl; tclsh $D/a.tcl'
row "gdb run nc" gdb - '*today*' \
    'gdb -q --batch -ex run --args nc -w 10 $H 13 </dev/null 2>/dev/null'
row "strace -f nc" strace - 'today*' 'strace -f -o /dev/null nc -w 10 $H 13 </dev/null'
row "env -i nc" env - 'today*' 'env -i nc -w 10 $H 13 </dev/null'
row "setsid, nohup" nohup - 'today*' 'nohup setsid -w nc -w 10 $H 13 </dev/null 2>/dev/null'
row "script" script - '*today*' 'script -qec "nc -w 10 $H 13" /dev/null </dev/null'
row "make -j8 of nc" make - '24' \
    'printf "all: %s\n%%.t:\n\t@nc -w 10 $H 13 </dev/null\n" "$(seq -s " " -f "%g.t" 24)" >$D/Makefile; make -s -j8 -C $D | grep -c today'
row "xargs -P8 nc" xargs - '40' 'seq 40 | xargs -P8 -I@ sh -c "nc -w 10 $H 13 </dev/null" | grep -c today'
row "inetd style" socat - '*today*' \
    'socat TCP-LISTEN:8111,bind=127.0.0.1 EXEC:"nc -w 10 $H 13" & sleep 0.5; nc -w 10 127.0.0.1 8111 </dev/null'
tap_end
