#!/usr/bin/python3
"""udp_forward.py ADDRESS PORT TO FILE - passes datagrams on between whoever
speaks to ADDRESS:PORT and port TO of this machine.  FILE appears once
both sides have spoken and three seconds have gone."""
import select
import socket
import sys
import time

near = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
near.bind((sys.argv[1], int(sys.argv[2])))
far = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
far.connect(("127.0.0.1", int(sys.argv[3])))
peer, first, back = None, None, 0
while True:
    for s in select.select([near, far], [], [])[0]:
        try:
            if s is near:
                data, peer = near.recvfrom(65536)
                far.send(data)
                first = first or time.time()
            else:
                near.sendto(far.recv(65536), peer)
                back += 1
        except OSError:
            pass
    if first and back > 2 and time.time() - first > 3:
        open(sys.argv[4], "w").close()
