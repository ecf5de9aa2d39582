"""Fixtures: the RDS stand-in, pgiam, a fake server and certificates.

PGIAM names the program (default: src/pgiam in the tree), PGIAM_WRAPPER a command to run it under, PGIAM_TEST_WORKERS
its number of workers, PGBIN the directory of another PostgreSQL's programs than the newest that is installed.
"""
import os
import shutil
import sys
import tempfile

import pytest

sys.dont_write_bytecode = True
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"  # nor do the programs that tests start
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "aws"))
import awsfake  # noqa: E402
import fakepg  # noqa: E402
import proxy  # noqa: E402
import standin  # noqa: E402
from home import Home  # noqa: E402


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.when == "call":
        item.failed = report.failed


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes long; left out of the ThreadSanitizer run")
    if not os.access(proxy.BINARY, os.X_OK):
        pytest.exit("%s is not there: build it, or name it in PGIAM" % proxy.BINARY, returncode=2)


# ---- the RDS stand-in ----

@pytest.fixture(scope="session")
def rds_factory():
    """rds_factory("--name", "two", ...): another instance, for the whole run."""
    made = {}

    def make(*options):
        if options not in made:
            made[options] = standin.Rds(*options)
        return made[options]

    yield make
    for one in made.values():
        one.stop()


@pytest.fixture
def rds(rds_factory):
    """The instance that most tests use; without faults, sessions or the tables of the test before."""
    one = rds_factory()
    clean(one)
    yield one
    clean(one)


@pytest.fixture
def another_rds(rds_factory):
    """As rds_factory, with each instance clean before and after the test."""
    used = []

    def make(*options):
        one = rds_factory(*options)
        clean(one)
        used.append(one)
        return one

    yield make
    for one in used:
        clean(one)


def clean(one):
    if one.env["RDS_AUTH"] == "iam":
        one.fault("clear")
    one.admin("select pg_terminate_backend(pid, 5000) from pg_stat_activity "
              "where pid <> pg_backend_pid() and backend_type = 'client backend'")
    one.empty()


@pytest.fixture(scope="session")
def plain(rds_factory):
    """PostgreSQL without TLS that lets everybody in."""
    return rds_factory("--auth", "trust", "--tls", "off")


# ---- pgiam ----

@pytest.fixture
def workdir():
    """A directory with a short name: unix sockets go into it."""
    path = tempfile.mkdtemp(prefix="pgiam-e2e-")
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def pgiam_factory(request, workdir):
    """pgiam_factory(databases={...}, env={...}, **options): a started proxy.Pgiam, stopped and judged at the end."""
    made = []

    def make(databases, **kw):
        one = proxy.Pgiam(os.path.join(workdir, str(len(made))), databases, **kw)
        made.append(one)
        return one

    yield make
    problems = []
    for one in made:
        try:
            one.stop()
        except AssertionError as e:
            problems.append(str(e))
        if problems or getattr(request.node, "failed", False):
            print("---- %s\n%s" % (one.log_path, one.log()[-20000:]))
    assert not problems, "\n".join(problems)


@pytest.fixture
def pgiam_for(pgiam_factory):
    """pgiam_for(server, **options): pgiam in front of a standin.Rds or a fakepg.Server, as `app` and for every other database
    name. database: further keys of the entry."""
    def make(one, env=None, database=None, **options):
        entry = one.database(**(database or {}))
        return pgiam_factory({"app": entry, "*": entry}, env=dict(one.credentials(), **(env or {})), **options)
    return make


@pytest.fixture
def pgiam(rds, pgiam_for):
    """pgiam in front of the usual instance."""
    return pgiam_for(rds)


# ---- the stand-in for AWS ----

@pytest.fixture(scope="session")
def aws_server(authority):
    """The stand-in for AWS, for the whole run; tests use `aws`."""
    chain, key = authority.issue(["127.0.0.1", "localhost"], key="ec")
    with tempfile.NamedTemporaryFile(suffix=".pem") as cert, tempfile.NamedTemporaryFile(suffix=".key") as secret:
        cert.write(chain)
        cert.flush()
        secret.write(key)
        secret.flush()
        one = awsfake.Aws(cert=cert.name, key=secret.name)
    yield one
    one.stop()


@pytest.fixture
def aws(aws_server, authority):
    """The stand-in for AWS without faults, as new. aws.env(...) is an environment that reaches it: add what configures the
    provider. aws.serve(rds): what it issues from now on, the instance accepts."""
    aws_server.reset()
    aws_server.ca_path = authority.path
    yield aws_server
    aws_server.reset()


@pytest.fixture
def serve(rds, aws, pgiam_factory):
    """serve(env): pgiam in front of the instance, with credentials from where that environment says; what AWS issues, the
    instance accepts."""
    aws.serve(rds)

    def make(env, **options):
        return pgiam_factory({"app": rds.database(region=rds.region)}, env=env, **dict({"query_wait_timeout": 10}, **options))
    return make


@pytest.fixture
def home(workdir, aws, rds):
    """A home directory with AWS files, whose credentials the instance accepts."""
    aws.serve(rds)
    return Home(workdir + "/home", aws)


# ---- servers and certificates of the test's own ----

@pytest.fixture(scope="session")
def authority():
    """A certificate authority and where its certificate is."""
    ca = fakepg.certs.Authority("pgiam e2e CA", key="ec")
    with tempfile.NamedTemporaryFile(prefix="pgiam-e2e-ca-", suffix=".pem") as file:
        file.write(ca.pem())
        file.flush()
        ca.path = file.name
        yield ca


@pytest.fixture
def fake_factory(authority):
    """fake_factory(script, **options): a started fakepg.Server, stopped at the end; what went wrong in it fails the
    test."""
    made = []

    def make(script, **kw):
        one = fakepg.Server(script, authority, **kw)
        made.append(one)
        return one

    yield make
    for one in made:
        one.stop()
    wrong = [e for one in made for e in one.errors]
    assert not wrong, wrong
