#!/bin/sh
# Installs what building and testing pgiam needs on Debian 12: packages from Debian, nothing else.
# usage: contrib/dev/deps.sh [build|demo|test]     (default: test, which includes the others)
# Uses sudo when not root. What is optional and cannot be installed is named; the tests that need it are skipped.
set -eu

build="gcc make autoconf automake pkg-config libc6-dev libevent-dev libssl-dev libcurl4-openssl-dev libcjson-dev libinih-dev"
demo="libpam0g-dev postgresql-15 postgresql-client-15 python3 python3-cryptography openssl procps curl"
tests="clang libclang-rt-14-dev llvm-14 libcmocka-dev valgrind python3-pytest python3-pytest-timeout python3-pytest-xdist
	python3-psycopg python3-psycopg2 python3-asyncpg iproute2 mandoc shellcheck xz-utils binutils"
optional="nodejs node-pg default-jdk-headless libpostgresql-jdbc-java ruby-pg libdbd-pg-perl odbc-postgresql python3-pyodbc
	php-cli php-pgsql golang-go golang-github-jackc-pgx-v4-dev golang-github-lib-pq-dev python3-pg8000"
# Its configuration file is a test. Where systemd runs, the package would start it, too.
[ -d /run/systemd/system ] || optional="$optional pgbouncer"

case "${1:-test}" in
build) want="$build" optional="" ;;
demo) want="$build $demo" optional="" ;;
test) want="$build $demo $tests" ;;
*) echo "usage: deps.sh [build|demo|test]" >&2; exit 2 ;;
esac

as_root() {
	if [ "$(id -u)" = 0 ]; then
		env DEBIAN_FRONTEND=noninteractive "$@"
	else
		sudo env DEBIAN_FRONTEND=noninteractive "$@"
	fi
}

missing() {
	for p in "$@"; do
		dpkg-query -W -f '${db:Status-Status}\n' "$p" 2>/dev/null | grep -qx installed || printf '%s ' "$p"
	done
}

# shellcheck disable=SC2086 # lists of words
{
	need=$(missing $want)
	extra=$(missing $optional)
	[ -n "$need$extra" ] || exit 0
	as_root apt-get update -qq
	# The package would make and start a cluster of its own on port 5432; the tests make theirs.
	if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
		as_root mkdir -p /etc/postgresql-common
		echo 'create_main_cluster = false' | as_root tee /etc/postgresql-common/createcluster.conf >/dev/null
	fi
	[ -z "$need" ] || as_root apt-get install -y -qq --no-install-recommends $need >/dev/null
	[ -n "$extra" ] || exit 0
	as_root apt-get install -y -qq --no-install-recommends $extra >/dev/null 2>&1 && exit 0
	for p in $extra; do # one that cannot be had does not keep the others out
		as_root apt-get install -y -qq --no-install-recommends "$p" >/dev/null 2>&1 ||
			echo "deps.sh: cannot install: $p (the tests that need it are skipped)"
	done
}
