#!/usr/bin/python3
"""Writes down what clients say: a relay in front of a PostgreSQL server without TLS, whose output is conversations.

    tests/e2e/record.py LISTEN_PORT SERVER_PORT NAME [MAX] >> tests/e2e/conversations/drivers.txt

Every connection becomes one conversation, NAME, NAME 2, ..., with at most MAX (default 25) of the client's messages: it is
their beginnings that count. Point the client at 127.0.0.1:LISTEN_PORT, and end this with SIGINT.
"""
import os
import select
import socket
import struct
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from conversations import escape  # noqa: E402

LOCK = threading.Lock()
REQUESTS = (1234 << 16 | 5679, 1234 << 16 | 5680)


class Recorder:
    def __init__(self, name, most):
        self.name, self.most = name, most
        self.lines, self.client, self.server = ["= " + name], b"", b""
        self.started = self.full = False
        self.messages, self.asked = 0, 0  # messages said; requests whose one byte has not come
        self.kinds = []                   # of the server's messages since the client last spoke

    def client_said(self, data):
        if self.full:
            return
        if self.messages and not self.answered():
            self.lines.append("pause 0")
        self.client += data
        while self.take() and not self.full:
            pass

    def answered(self):
        """Writes down what the server has said since the client last spoke, if it has."""
        if self.full or not self.kinds:
            return False
        last, count = self.kinds[-1], self.kinds.count(self.kinds[-1])
        self.lines.append("answer " + last + (" %d" % count if count > 1 else ""))
        self.kinds = []
        return True

    def take(self):
        head = 0 if not self.started else 1
        if len(self.client) < head + 4:
            return False
        length, = struct.unpack_from("!I", self.client, head)
        if len(self.client) < head + length:
            return False
        one, self.client = self.client[:head + length], self.client[head + length:]
        if self.started:
            self.lines.append(("message %s %s" % (chr(one[0]), escape(one[5:]))).rstrip(" "))
        else:
            code, = struct.unpack_from("!I", one, 4)
            self.lines.append(("packet %d.%d %s" % (code >> 16, code & 0xffff, escape(one[8:]))).rstrip(" "))
            self.started = code not in REQUESTS
            self.asked += code in REQUESTS
        self.messages += 1
        self.full = self.messages >= self.most
        return True

    def server_said(self, data):
        if self.asked:
            self.asked -= 1
            self.kinds.append("byte")
            data = data[1:]
        self.server += data
        while len(self.server) >= 5:
            length, = struct.unpack_from("!I", self.server, 1)
            if len(self.server) <= length:
                return
            self.kinds.append(chr(self.server[0]))
            self.server = self.server[length + 1:]

    def end(self):
        self.answered()
        with LOCK:
            print("\n".join(self.lines), flush=True)


def relay(client, port, recorder):
    server = socket.create_connection(("127.0.0.1", port))
    peer = {client: server, server: client}
    try:
        while True:
            for sock in select.select(list(peer), [], [])[0]:
                data = sock.recv(1 << 16)
                if not data:
                    return
                (recorder.client_said if sock is client else recorder.server_said)(data)
                peer[sock].sendall(data)
    except OSError:
        pass
    finally:
        recorder.end()
        client.close()
        server.close()


def main(listen, port, name, most=25):
    listener = socket.create_server(("127.0.0.1", int(listen)))
    count = 0
    while True:
        client, _ = listener.accept()
        count += 1
        recorder = Recorder(name if count == 1 else "%s %d" % (name, count), int(most))
        threading.Thread(target=relay, args=(client, int(port), recorder), daemon=True).start()


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except KeyboardInterrupt:
        pass
    except TypeError:
        sys.exit(__doc__)
