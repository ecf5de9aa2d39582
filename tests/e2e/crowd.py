"""A crowd of half-open, slow and hostile connections: crowd.py PORT SIZE. Says "full" when it was complete once, goes on
until its standard input ends, then says how many there were."""
import contextlib
import random
import selectors
import socket
import struct
import sys
import threading
import time

import wire


HELLO = wire.client_hello()
SSL = wire.packet(wire.SSL_REQUEST)
STARTUP = wire.startup()

# what each kind says at once, and what it goes on with, a byte at a time
KINDS = {
    "silent": (b"", b""),
    "slow startup": (b"", STARTUP),
    "slow TLS": (SSL, HELLO),
    "TLS, then nothing": (SSL + b"", b""),
    "half a hello": (SSL, HELLO[:50]),
    "huge length": (b"\x7f\xff\xff\xff\0\3\0\0", b"x" * 100),
    "longest length": (struct.pack("!II", 10000, 3 << 16), b"x" * 100),
    "garbage": (bytes(random.Random(1).randrange(256) for _ in range(200)), b""),
    "http": (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b""),
    "cancel of nobody": (wire.packet(wire.CANCEL, b"\0" * 8), b""),
    "reset": (None, b""),
}


class Crowd:
    """Connections that replace themselves as they are closed; those that are slow say a byte a second."""

    def __init__(self, port, size):
        self.port, self.size = port, size
        self.select = selectors.DefaultSelector()
        self.made, self.kinds, self.random = 0, sorted(KINDS), random.Random(2)
        self.stop = threading.Event()

    def join_one(self):
        head, tail = KINDS[self.kinds[self.made % len(self.kinds)]]
        self.made += 1
        sock = socket.socket()
        sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            sock.connect(("127.0.0.1", self.port))
        self.select.register(sock, selectors.EVENT_READ | selectors.EVENT_WRITE, [head, tail])

    def drop(self, sock, reset=False):
        self.select.unregister(sock)
        if reset:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()

    def ready(self, key, events):
        sock, (head, tail) = key.fileobj, key.data
        try:
            if events & selectors.EVENT_WRITE:
                if head is None:
                    self.drop(sock, reset=True)
                    return
                if head:
                    sock.send(head)
                self.select.modify(sock, selectors.EVENT_READ, [b"", tail])
            elif not sock.recv(4096):
                self.drop(sock)
        except OSError:
            self.drop(sock)

    def one_byte_each(self):
        for key in list(self.select.get_map().values()):
            head, tail = key.data
            if not head and tail and head is not None:
                with contextlib.suppress(OSError):
                    key.fileobj.send(tail[:1])
                key.data[1] = tail[1:]

    def run(self):
        slow, told = time.monotonic(), False
        while not self.stop.is_set():
            for _ in range(200):
                if len(self.select.get_map()) >= self.size:
                    break
                self.join_one()
            for key, events in self.select.select(0.05):
                self.ready(key, events)
            if time.monotonic() - slow > 1:
                slow = time.monotonic()
                self.one_byte_each()
            if not told and self.made >= self.size:
                told = True
                print("full", flush=True)


def main():
    crowd = Crowd(int(sys.argv[1]), int(sys.argv[2]))
    threading.Thread(target=lambda: (sys.stdin.read(), crowd.stop.set()), daemon=True).start()
    crowd.run()
    print(crowd.made, flush=True)


main()
