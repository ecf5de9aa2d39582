#!/bin/bash
# pgiam's main job, shown on this machine: a real PostgreSQL set up as Amazon RDS is (TLS, IAM tokens through PAM), pgiam in
# front of it, psql and pgbench through pgiam without a password. On a fresh Debian 12 machine, as root or with sudo.
# usage: contrib/dev/demo.sh [--keep]     --keep leaves everything running and says how to connect
set -euo pipefail
cd "$(dirname "$0")/../.."
top=$PWD
keep=
case "${1:-}" in
--keep) keep=1 ;;
"") ;;
*) echo "usage: demo.sh [--keep]" >&2; exit 2 ;;
esac
if [ "$(id -u)" != 0 ]; then
	exec sudo "$top/contrib/dev/demo.sh" "$@" # the stand-in needs a PAM service file
fi

say() { printf '\n== %s\n' "$*"; }
run() { printf '$ %s\n' "$*"; "$@"; }

say "packages"
contrib/dev/deps.sh demo
echo "installed"

work=$(mktemp -d "${TMPDIR:-/tmp}/pgiam-demo-XXXXXX")
chmod 755 "$work"
pgiam_pid=
clean_up() {
	[ -z "$pgiam_pid" ] || { kill "$pgiam_pid" 2>/dev/null && wait "$pgiam_pid" 2>/dev/null; } || true
	[ ! -d "$work/rds" ] || tests/rds/rds stop "$work/rds" >/dev/null || true
	rm -rf "$work"
}
trap clean_up EXIT

say "build"
top=$(contrib/dev/tree.sh "$work/tree")
cd "$top"
./bootstrap.sh >"$work/bootstrap.log" 2>&1 || { cat "$work/bootstrap.log"; exit 1; }
mkdir "$work/build"
(cd "$work/build" && "$top/configure" -q && make -j"$(nproc)" src/pgiam >make.log 2>&1) || { tail -30 "$work/build/make.log"; exit 1; }
pgiam="$work/build/src/pgiam"
"$pgiam" --version

say "a PostgreSQL set up as RDS is"
tests/rds/rds start "$work/rds" >/dev/null
set -a
# shellcheck disable=SC1091 # made just now
. "$work/rds/env"
set +a
echo "$RDS_HOST port $RDS_PORT (in truth 127.0.0.1), TLS only, IAM tokens verified by SigV4"

free_port() { # the wanted one if it is free, else any
	/usr/bin/python3 -c 'import socket, sys
def free(port):
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
            return s.getsockname()[1]
        except OSError:
            return 0
print(free(int(sys.argv[1])) or free(0))' "$1"
}
port=$(free_port 5432)
http=$(free_port 9127)

say "pgiam in front of it, with AWS credentials in its environment as on ECS or Lambda"
command=("$pgiam" run --host "$RDS_HOST" --port "$RDS_PORT" --hostaddr 127.0.0.1 --tls-ca "$RDS_CA"
	--listen "127.0.0.1:$port" --http-listen "127.0.0.1:$http")
echo "\$ pgiam ${command[*]:1} &"
"${command[@]}" 2>"$work/pgiam.log" &
pgiam_pid=$!
for _ in $(seq 100); do
	curl -fs "http://127.0.0.1:$http/startup" >/dev/null && break
	kill -0 "$pgiam_pid" 2>/dev/null || { cat "$work/pgiam.log"; exit 1; }
	sleep 0.1
done
cat "$work/pgiam.log"

unset PGPASSWORD PGSSLMODE
bin=$RDS_BINDIR
app="host=127.0.0.1 port=$port user=app_user dbname=app"
say "psql, with no password anywhere"
run "$bin/psql" "$app" -c 'select current_user' -c 'select ssl, version as tls, cipher from pg_stat_ssl where pid = pg_backend_pid()'

say "a role without the grant: what the application is told"
run "$bin/psql" "host=127.0.0.1 port=$port user=norole dbname=app sslmode=disable" -c 'select 1' || true

say "pgbench"
"$bin/pgbench" -q -i -s 1 "$app sslmode=disable" >/dev/null 2>&1
run "$bin/pgbench" -n -c 8 -j 2 -T 3 -S "$app sslmode=disable" | grep -E 'processed|failed|tps'

say "some metrics"
curl -s "http://127.0.0.1:$http/metrics" |
	grep -E '^pgiam_(tokens_total|server_logins_total|client_logins_total|query_total|sv_idle|credentials_valid|login_seconds_(sum|count))'

say "done"
if [ -n "$keep" ]; then
	trap - EXIT
	cat <<TEXT
Left running.   psql "$app"
metrics         http://127.0.0.1:$http/metrics
log             $work/pgiam.log
to stop         kill $pgiam_pid; $top/tests/rds/rds stop $work/rds; rm -rf $work
TEXT
fi
