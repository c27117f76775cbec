"""mail.py FOLDER - a mail server for one test: SMTP on 25, POP3 on 110.

Keeps each message it is given as FOLDER/N; POP3 serves one fixed message to
anyone. Only the verbs that swaks, msmtp, curl and fetchmail use.
"""
import os
import socket
import socketserver
import sys

FOLDER = sys.argv[1]
MESSAGE = b"From: a@example.test\r\nSubject: hi\r\n\r\na letter\r\n"


class Smtp(socketserver.StreamRequestHandler):
    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def handle(self):
        self.say("220 mail.example.test ESMTP")
        for line in self.rfile:
            verb = line[:4].upper()
            if verb == b"QUIT":
                self.say("221 bye")
                return
            if verb == b"DATA":
                self.say("354 go on")
                body = b""
                for part in self.rfile:
                    if part == b".\r\n":
                        break
                    body += part
                name = str(len(os.listdir(FOLDER)))
                with open(os.path.join(FOLDER, name), "wb") as out:
                    out.write(body)
                self.say("250 kept")
            else:
                self.say("250 mail.example.test")


class Pop3(socketserver.StreamRequestHandler):
    answers = {
        b"CAPA": "+OK\r\nUSER\r\nUIDL\r\n.",
        b"STAT": "+OK 1 %d" % len(MESSAGE),
        b"LIST": "+OK\r\n1 %d\r\n." % len(MESSAGE),
        b"UIDL": "+OK\r\n1 one\r\n.",
        b"RETR": "+OK\r\n" + MESSAGE.decode() + ".",
        b"AUTH": "-ERR no",
    }

    def handle(self):
        self.wfile.write(b"+OK ready\r\n")
        for line in self.rfile:
            verb = line[:4].upper().strip()
            if verb == b"LIST" and len(line.split()) > 1:
                answer = "+OK 1 %d" % len(MESSAGE)
            else:
                answer = self.answers.get(verb, "+OK")
            self.wfile.write(answer.encode() + b"\r\n")
            if verb == b"QUIT":
                return


class Server(socketserver.ThreadingTCPServer):
    address_family = socket.AF_INET6
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 100


os.makedirs(FOLDER, exist_ok=True)
smtp = Server(("::", 25), Smtp)
pop3 = Server(("::", 110), Pop3)
if os.fork() == 0:
    smtp.serve_forever()
else:
    pop3.serve_forever()
