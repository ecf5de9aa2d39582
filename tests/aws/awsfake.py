#!/usr/bin/python3
"""A stand-in for AWS: the endpoints credentials come from, on loopback, with nothing of pgiam's code.

usage: awsfake.py [--port N] [--tls-port N --cert FILE --key FILE]     (then POST /control, see Aws.control)

Each service is a class with `name`, `wants(request)` and `answer(request)` in a file aws_*.py, made of what awskit.py has;
add one, and list it in SERVICES. Every signature is verified (tests/rds/sigv4.py). Faults are scripted per service, time is
movable (`offset_sec`), and what is issued is known to the later calls, and to whoever sets `on_issue`: the RDS stand-in, so
that a login proves a provider.

One plain and one TLS listener serve everything: a test points AWS_ENDPOINT_URL_STS at the one and
AWS_EC2_METADATA_SERVICE_ENDPOINT at the other.
"""
import argparse
import collections
import email.utils
import http.server
import json
import os
import socket
import ssl
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from awskit import ACCOUNT, Key, Refused, Reply, Request  # noqa: E402
from aws_hosts import Container, Imds  # noqa: E402
from aws_redshift import Redshift, RedshiftServerless  # noqa: E402
from aws_secrets import SecretsManager  # noqa: E402
from aws_sessions import Oidc, Portal, Signin  # noqa: E402
from aws_sts import Sts  # noqa: E402

SERVICES = [Sts, Imds, Container, Portal, Oidc, Signin, SecretsManager, Redshift, RedshiftServerless]


class Fault:
    """One scripted misfortune: status+body+headers in place of the answer, delay_sec before it, hang (silence until the
    stand-in stops or faults are cleared), drop (the connection is closed), huge (so many bytes), redirect (to there), code
    (an error of the service's form, with message), echo (that error's message says this header of the request, or "body").
    times: for how many requests; None is until cleared. only: paths or actions it is for."""

    def __init__(self, service, times=1, only=None, status=None, body="", headers=None, delay_sec=0, hang=False,
                 drop=False, huge=0, redirect=None, code=None, message="on request of the test", echo=None):
        self.service, self.times, self.only, self.code, self.message = service, times, only, code or echo and "Echo", message
        self.echo = echo
        self.status, self.body, self.headers, self.delay_sec = status, body, headers or {}, delay_sec
        self.hang, self.drop, self.huge, self.redirect = hang, drop, huge, redirect


class Aws:
    """The listeners and what they know. Ports are chosen if not given; the TLS one needs cert and key files."""

    def __init__(self, port=0, tls_port=0, cert=None, key=None, region="us-east-1", host="127.0.0.1"):
        self.lock = threading.Condition()
        self.region, self.offset_sec = region, 0
        self.keys, self.issued, self.on_issue = {}, [], None
        self.faults, self.generation, self.stopping = [], 0, False
        self.requests = []      # (service name, Request), in order
        self.counts = collections.Counter()
        self.services, self.ca_path = [], None
        self.reset()
        self.servers = [self.listen(host, port, None)]
        self.port = self.servers[0].server_address[1]
        self.url = "http://%s:%d" % ("[%s]" % host if ":" in host else host, self.port)
        self.tls_url = None
        if cert:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(cert, key)
            self.servers.append(self.listen(host, tls_port, context))
            self.tls_port = self.servers[1].server_address[1]
            self.tls_url = "https://%s:%d" % (host, self.tls_port)

    def listen(self, host, port, context):
        aws = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 60

            def setup(self):
                if context:  # here, in the connection's own thread
                    self.request = context.wrap_socket(self.request, server_side=True)
                super().setup()

            def any_method(self):
                self.close_connection = True
                aws.handle(self, context is not None)

            do_GET = do_PUT = do_POST = do_HEAD = any_method

            def date_time_string(self, timestamp=None):
                return email.utils.formatdate(timestamp if timestamp is not None else aws.now(), usegmt=True)

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128
            address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

            def handle_error(self, request, client_address):
                pass  # a client that went away, or one that did not trust our certificate

        server = Server((host, port), Handler)
        threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
        return server

    def stop(self):
        with self.lock:
            self.stopping = True
            self.lock.notify_all()
        for one in self.servers:
            one.shutdown()
            one.server_close()

    # ---- what a test does ----
    def now(self):
        return time.time() + self.offset_sec

    def add_key(self, key):
        """Makes a Key known here and to the RDS stand-in."""
        self.keys[key.key_id] = key
        self.issued.append(key)
        if self.on_issue:
            self.on_issue(key)
        return key

    def issue(self, arn, life_sec):
        return self.add_key(Key(arn, int(self.now()) + life_sec))

    def user(self, arn="arn:aws:iam::%s:user/tester" % ACCOUNT):
        """A long-term key."""
        return self.add_key(Key(arn, None, kind="AKIA"))

    def fault(self, service, **kw):
        with self.lock:
            self.faults.append(Fault(service, **kw))

    def clear(self):
        """No faults, no hanging requests, nothing counted; time as it is."""
        with self.lock:
            self.faults, self.requests, self.offset_sec = [], [], 0
            self.counts.clear()
            self.generation += 1
            self.lock.notify_all()

    def reset(self):
        """As new, but for the ports."""
        self.clear()
        self.keys, self.issued, self.on_issue = {}, [], None
        self.services = [cls(self) for cls in SERVICES]
        for one in self.services:
            setattr(self, one.name.replace("-", "_"), one)

    def serve(self, rds):
        """What is issued from now on, this instance of the RDS stand-in accepts."""
        self.on_issue = lambda key: rds.fault("add-key", key.key_id, key.secret, key.token or "", key.expires or "")

    def env(self, **more):
        """An environment in which every service is here, and nothing says which credentials to take. By default an instance's
        metadata get one second, in botocore as in pgiam: a machine busy with tests may need more."""
        here = {"AWS_ENDPOINT_URL": self.tls_url, "AWS_CA_BUNDLE": self.ca_path, "AWS_REGION": self.region,
                "AWS_EC2_METADATA_SERVICE_ENDPOINT": self.url, "AWS_EC2_METADATA_DISABLED": "true",
                "AWS_METADATA_SERVICE_TIMEOUT": "10",
                "AWS_CONFIG_FILE": "/nonexistent/config", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent/credentials"}
        return {k: v for k, v in dict(here, **more).items() if v is not None}

    def asked(self, service):
        return [r for name, r in self.requests if name == service]

    # ---- a request ----
    def take_fault(self, name, request):
        with self.lock:
            for f in self.faults:
                if f.service == name and (f.only is None or f.only in (request.path, request.form.get("Action"))):
                    if f.times is not None:
                        f.times -= 1
                        if f.times <= 0:
                            self.faults.remove(f)
                    return f
        return None

    def handle(self, handler, tls):
        headers = {k.lower(): v for k, v in handler.headers.items()}
        body = handler.rfile.read(int(headers.get("content-length", 0)))
        request = Request(self, handler.command, handler.path, headers, body, tls)
        if request.path == "/control":
            self.send(handler, Reply(self.control(json.loads(body or b"{}"))))
            return
        service = next((s for s in self.services if s.wants(request)), None)
        name = service.name if service else "nobody"
        with self.lock:
            self.requests.append((name, request))
            self.counts[name] += 1
        fault = self.take_fault(name, request)
        if fault and not self.suffer(handler, fault):
            return
        if service is None:
            self.send(handler, Reply("nothing here\n", 404, "text/plain"))
            return
        try:
            if fault and fault.code:
                message = "you sent %s" % request.said(fault.echo) if fault.echo else fault.message
                raise Refused(fault.status or 400, fault.code, message, fault.headers)
            reply = Reply(fault.body, fault.status, headers=fault.headers) if fault and fault.status \
                else service.answer(request)
        except Refused as e:
            reply = service.error(request, e)
        self.send(handler, reply)

    def suffer(self, handler, fault):
        """True if there is an answer to be sent nevertheless."""
        if fault.delay_sec:
            time.sleep(fault.delay_sec)
        if fault.hang:
            with self.lock:
                start = self.generation
                while self.generation == start and not self.stopping:
                    self.lock.wait(0.5)
            return False
        if fault.drop:
            return False
        if fault.huge:
            self.send(handler, Reply(b"{" + b" " * fault.huge))
            return False
        if fault.redirect:
            self.send(handler, Reply(b"", 302, headers={"Location": fault.redirect}))
            return False
        return True

    @staticmethod
    def send(handler, reply):
        handler.send_response(reply.status)
        handler.send_header("Content-Type", reply.content_type)
        handler.send_header("Content-Length", str(len(reply.body)))
        handler.send_header("Connection", "close")  # or who asks again at once may ask on this connection, and lose
        for name, value in reply.headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        try:
            handler.wfile.write(reply.body)
        except OSError:
            pass

    def control(self, what):
        """{"offset_sec": n} | {"fault": {"service": ..., ...}} | {"clear": true}; the counts."""
        if "offset_sec" in what:
            self.offset_sec = what["offset_sec"]
        if "fault" in what:
            self.fault(**what["fault"])
        if what.get("clear"):
            self.clear()
        return dict(self.counts)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--tls-port", type=int, default=0)
    parser.add_argument("--cert")
    parser.add_argument("--key")
    o = parser.parse_args()
    aws = Aws(o.port, o.tls_port, o.cert, o.key)
    user = aws.user()
    print(json.dumps({"url": aws.url, "tls_url": aws.tls_url, "key_id": user.key_id, "secret": user.secret}), flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        aws.stop()


if __name__ == "__main__":
    main()
