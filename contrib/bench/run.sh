#!/bin/bash
# pgiam beside the floor programs, and PgBouncer if there is one: starts PostgreSQL and each proxy on free loopback
# ports, prints the table for plaintext and for TLS upstream, and leaves nothing behind. README.md says more.
#
#   run.sh [arguments of peers.py: --rounds 5 --secs 4 --scenario simple rows]
#
# Environment: PGIAM (default: src/pgiam of this tree), PGBOUNCER (a binary; unset: without), PGBIN (PostgreSQL's programs),
# RUN_AS (an ordinary user, for when this runs as root; default postgres), UPSTREAM ("plain tls"), IDLE (clients for
# idle.py; needs root), WORKERS (pgiam's).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

pgiam=${PGIAM:-$here/../../src/pgiam}
pgbouncer=${PGBOUNCER:-}
if [ -z "${PGBIN:-}" ]; then
	PGBIN=$(pg_config --bindir 2>/dev/null || true)
	for dir in /usr/lib/postgresql/*/bin; do [ -x "$dir/initdb" ] && PGBIN=$dir; done
fi
[ -x "$PGBIN/initdb" ] || { echo "run.sh: no PostgreSQL: set PGBIN" >&2; exit 1; }
[ -x "$pgiam" ] || { echo "run.sh: no $pgiam: build it or set PGIAM" >&2; exit 1; }

as=() # PostgreSQL and PgBouncer refuse to be root
[ "$(id -u)" = 0 ] && as=(setpriv "--reuid=${RUN_AS:-postgres}" "--regid=${RUN_AS:-postgres}" --init-groups)

dir=$(mktemp -d "${TMPDIR:-/tmp}/pgiam-bench.XXXXXX")
pids=()
finish()
{
	for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
	[ ! -d "$dir/data" ] || "${as[@]}" "$PGBIN/pg_ctl" -D "$dir/data" -m immediate -s stop || true
	rm -rf "$dir"
}
trap finish EXIT

free_port()
{
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

wait_port() # port, name: until it accepts
{
	for _ in $(seq 100); do
		(: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return
		sleep 0.1
	done
	echo "run.sh: $2 does not answer; its log:" >&2
	tail -20 "$dir/$2.log" >&2
	exit 1
}

start() # name, port, command...: in the background, as the ordinary user
{
	local name=$1 port=$2
	shift 2
	"${as[@]}" "$@" >"$dir/$name.log" 2>&1 &
	pids+=($!)
	wait_port "$port" "$name"
	targets+=("$name=$port:$!")
}

cert() # a CA and a certificate for localhost
{
	openssl req -x509 -newkey rsa:2048 -nodes -days 30 -keyout ca.key -out ca.pem -subj "/CN=bench CA"
	openssl req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=localhost
	openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -out server.pem \
		-extfile <(echo subjectAltName=DNS:localhost,IP:127.0.0.1)
	chmod 600 server.key
} 2>/dev/null

chmod 711 "$dir"
cd "$dir"
for floor in floor floor_tls; do
	"${CC:-cc}" -O2 -o $floor "$here/$floor.c" -lssl -lcrypto
done
cert
[ ${#as[@]} = 0 ] || chown -R "${RUN_AS:-postgres}:" "$dir"

pg_port=$(free_port)
"${as[@]}" "$PGBIN/initdb" -D data -U postgres -A trust --no-sync -E UTF8 --locale=C >/dev/null
cat >>data/postgresql.conf <<CONF
port = $pg_port
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
fsync = off
synchronous_commit = off
full_page_writes = off
max_connections = 600
shared_buffers = 256MB
ssl = on
ssl_cert_file = '$dir/server.pem'
ssl_key_file = '$dir/server.key'
CONF
"${as[@]}" "$PGBIN/pg_ctl" -D data -l postgres.log -w -s start
"$PGBIN/createdb" -h 127.0.0.1 -p "$pg_port" -U postgres bench
"$PGBIN/pgbench" -h 127.0.0.1 -p "$pg_port" -U postgres -i -q -s 10 bench 2>/dev/null

ulimit -n "$(ulimit -Hn)"
export PGBENCH="$PGBIN/pgbench"
for upstream in ${UPSTREAM:-plain tls}; do
	sslmode=disable floor=floor
	[ "$upstream" = plain ] || sslmode=verify-full floor=floor_tls
	targets=()

	if [ -n "$pgbouncer" ]; then
		port=$(free_port)
		cat >pgbouncer.ini <<CONF
[databases]
bench = host=127.0.0.1 port=$pg_port user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $port
unix_socket_dir =
auth_type = any
pool_mode = session
max_client_conn = 10000
default_pool_size = 250
server_tls_sslmode = $sslmode
server_tls_ca_file = $dir/ca.pem
CONF
		start pgbouncer "$port" "$pgbouncer" -q pgbouncer.ini
	fi
	port=$(free_port)
	cat >pgiam.ini <<CONF
[databases]
bench = host=127.0.0.1 port=$pg_port auth=none login_rate=0
[pgiam]
listen = 127.0.0.1:$port
http_listen =
max_client_conn = 10000
default_pool_size = 250
workers = ${WORKERS:-1}
server_tls_sslmode = $sslmode
server_tls_ca_file = $dir/ca.pem
log_connections = 0
log_disconnections = 0
CONF
	start pgiam "$port" "$pgiam" run pgiam.ini
	port=$(free_port)
	start $floor "$port" "./$floor" "$port" "$pg_port"

	echo "== $upstream upstream, session mode; ratios to ${targets[0]%%=*} =="
	"$here/peers.py" "${targets[@]}" "$@"
	if [ -n "${IDLE:-}" ]; then
		"$here/idle.py" --n "$IDLE" "${targets[@]:0:${#targets[@]}-1}" # the floor pools nothing
	fi
	for pid in "${pids[@]}"; do kill "$pid"; done
	pids=()
done
