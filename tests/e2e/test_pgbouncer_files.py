"""PgBouncer's configuration: its own sample, Debian's, and files that spell out every option it has (1.26). What pgiam does
not take it refuses with a reason, what has no effect it says, and nothing is unknown."""
import os
import re

import pytest

import proxy
from files import put

HOST = "mydb.c9akciq32rgw.us-east-1.rds.amazonaws.com"
DEBIAN = "/etc/pgbouncer/pgbouncer.ini"
SAMPLES = [DEBIAN, "/usr/share/doc/pgbouncer/examples/pgbouncer.ini", "/usr/share/doc/pgbouncer/pgbouncer-minimal.ini"]

# Each option of [pgbouncer] with its default there; `USERS` stands for a file. Those of auth_query alone are no defaults
# anybody writes down: it has a query of its own, and does nothing without auth_user.
GLOBAL = """
admin_users= application_name_add_host=0 auth_dbname= auth_file=USERS auth_hba_file= auth_ident_file= auth_ldap_options=
auth_query= auth_type=md5 auth_user= autodb_idle_timeout=3600 cancel_wait_timeout=10 client_idle_timeout=0
client_login_timeout=60 client_tls13_ciphers= client_tls_ca_file= client_tls_cert_file= client_tls_ciphers=default
client_tls_dheparams=auto client_tls_ecdhcurve=auto client_tls_key_file= client_tls_protocols=secure
client_tls_sslmode=disable conffile= default_pool_size=20 disable_pqexec=0 dns_max_ttl=15 dns_nxdomain_ttl=15
dns_zone_check_period=0 idle_transaction_timeout=0 ignore_startup_parameters= job_name=pgbouncer listen_addr=
listen_backlog=128 listen_port=6432 log_connections=1 log_disconnections=1 log_pooler_errors=1 log_stats=1 logfile=
login_notify_message= max_client_conn=100 max_db_client_connections=0 max_db_connections=0 max_packet_size=2147483647
max_prepared_statements=200 max_user_client_connections=0 max_user_connections=0 min_pool_size=0 peer_id=0 pidfile=
pkt_buf=4096 pool_idle_timeout=0 pool_mode=session query_timeout=0 query_wait_notify=5 query_wait_timeout=120
reserve_pool_size=0 reserve_pool_timeout=5 resolv_conf= sbuf_loopcnt=5 scram_iterations=4096 server_check_delay=30
server_check_query=<empty> server_connect_timeout=15 server_fast_close=0 server_idle_timeout=600 server_lifetime=3600
server_login_retry=15 server_reset_query=DISCARD_ALL server_reset_query_always=0 server_round_robin=0 server_tls13_ciphers=
server_tls_ca_file= server_tls_cert_file= server_tls_ciphers=default server_tls_key_file= server_tls_protocols=secure
server_tls_sslmode=prefer service_name=pgbouncer so_reuseport=0 stats_period=60 stats_users= suspend_timeout=10 syslog=0
syslog_facility=daemon syslog_ident=pgbouncer tcp_defer_accept=1 tcp_keepalive=1 tcp_keepcnt=0 tcp_keepidle=0 tcp_keepintvl=0
tcp_socket_buffer=0 tcp_user_timeout=0 track_extra_parameters=IntervalStyle transaction_timeout=0 unix_socket_dir=/tmp
unix_socket_group= unix_socket_mode=0777 user= verbose=0
""".split()
DATABASE = """application_name auth_dbname auth_query auth_user client_encoding connect_query datestyle dbname host
load_balance_hosts max_db_client_connections max_db_connections min_pool_size password pool_mode pool_size port
query_wait_timeout reserve_pool reserve_pool_size server_lifetime timezone user""".split()
USER = """client_idle_timeout idle_transaction_timeout max_user_client_connections max_user_connections pool_mode pool_size
query_timeout query_wait_timeout reserve_pool_size transaction_timeout""".split()

TOLD = r"(error|note|warning): \S+(?::\d+)?: (?:database \"\w+\": |user \"\w+\": )?(\w+)(:| has no effect:) \S.{8,}"


def told(done, path):
    """{option: "error", "note" or "warning"} of what is said of that file; each with words that say why."""
    out = {}
    for line in [text for text in done.stderr.splitlines() if path in text]:
        found = re.match(TOLD, line)
        assert found and "no such option" not in line, line
        out[found.group(2)] = found.group(1)
    return out


def sample(path):
    if not os.access(path, os.R_OK):
        pytest.skip("Debian's pgbouncer is not installed")
    with open(path, encoding="utf-8") as file:
        return file.read()


@pytest.mark.parametrize("path", SAMPLES, ids=["debian", "example", "minimal"])
def test_sample(path):
    """As it is. A database to serve is what no sample has."""
    sample(path)
    done = proxy.pgiam("check", path, "--host", HOST)
    assert done.returncode == 0 and "error" not in told(done, path).values(), done.stderr
    assert re.search(r"^database   \*", done.stdout, re.M), done.stdout
    assert proxy.pgiam("check", path).returncode == 3


def test_sample_with_everything_in_it(workdir):
    """Every line that is commented out put to use: each is taken or told why not."""
    text = re.sub(r"(?m)^;(?=[a-z_0-9]+ *=)", "", sample(DEBIAN))
    path = put(os.path.join(workdir, "all.ini"), text, mode=0o600)
    done = proxy.pgiam("check", path)
    said = told(done, path)
    assert done.returncode == 3 and len(said) > 25, done.stderr
    assert {k for k, v in said.items() if v == "error"} >= {"auth_query", "pool_mode", "resolv_conf"}


def test_every_default(workdir):
    """PgBouncer's defaults spelt out pass. That of server_tls_sslmode is for servers that get no secret."""
    users = put(os.path.join(workdir, "users"), "", mode=0o600)
    lines = [o.replace("=", " = ", 1).replace("USERS", users).replace("DISCARD_ALL", "DISCARD ALL") for o in GLOBAL]
    text = "[pgbouncer]\n%s\n[databases]\na = host=127.0.0.1 auth=none\n" % "\n".join(lines)
    path = put(os.path.join(workdir, "default.ini"), text)
    done = proxy.pgiam("check", path)
    assert done.returncode == 0, done.stderr
    assert "warning" not in told(done, path).values(), done.stderr
    put(path, text.replace("auth=none", "auth=password password_file=/x"))
    assert "server_tls_sslmode: prefer is refused" in proxy.pgiam("check", path).stderr


def test_every_name(workdir):
    """With a value that is none: taken as text, said to do nothing, or refused with a reason; never unknown."""
    names = [o.split("=")[0] for o in GLOBAL]
    assert len(names) == len(set(names)) == 101
    path = put(os.path.join(workdir, "names.ini"), "[pgbouncer]\n%s\n[databases]\na = %s\n[users]\nu = %s\n" % (
        "\n".join("%s = nonsense" % n for n in names), " ".join("%s=nonsense" % n for n in DATABASE),
        " ".join("%s=nonsense" % n for n in USER)), mode=0o600)
    done = proxy.pgiam("check", path)
    assert done.returncode == 3
    assert set(told(done, path)) >= {"listen_port", "pkt_buf", "auth_user", "pool_size", "max_user_connections"}
    put(path, "[pgbouncer]\nno_such_thing = 1\n[databases]\na = host=%s no_such_key=1\n[users]\nu = nor_this=1\n" % HOST)
    unknown = proxy.pgiam("check", path).stderr
    assert all("%s: there is no such option" % n in unknown for n in ("no_such_thing", "no_such_key", "nor_this")), unknown
