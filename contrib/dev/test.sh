#!/bin/bash
# Installs what is needed, builds, and runs everything that CI runs. On a fresh Debian 12 machine, as root or with sudo.
# usage: contrib/dev/test.sh [STAGE...]    stages: gcc clang thread memory dist   (default: all)
#
#   gcc     warnings are errors; unit tests, corpora, lints; the end-to-end tests against the stand-in for RDS
#   clang   the same with AddressSanitizer and UndefinedBehaviorSanitizer
#   thread  ThreadSanitizer, four workers: unit tests and the end-to-end tests that are not marked slow
#   memory  valgrind over the unit tests of the pure layers
#   dist    make distcheck
#
# Builds in directories of its own under $TMPDIR (default /tmp), which it removes. JOBS: how many things at a time.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
jobs=${JOBS:-$(($(nproc) * 2))}
work=$(mktemp -d "${TMPDIR:-/tmp}/pgiam-test-XXXXXX")
chmod 755 "$work" # PostgreSQL runs as another user
trap 'rm -rf "$work"' EXIT
passed=0 failed=0 skipped=0
failures=()

say() { printf '\n=== %s (%ss)\n' "$*" "$SECONDS"; }
ok() { passed=$((passed + 1)); }
bad() { failed=$((failed + 1)); failures+=("$1"); echo "FAILED: $1"; }

# One thing that works or not. What it leaves out it says in lines that begin with blanks and SKIP: never silently.
step() { # NAME COMMAND...
	local name=$1 log="$work/step.log" rc=0
	shift
	say "$name"
	"$@" >"$log" 2>&1 || rc=1
	skipped=$((skipped + $(grep -c '^  *SKIP' "$log")))
	grep '^  *SKIP' "$log"
	if [ $rc -eq 0 ]; then ok; else bad "$name"; tail -60 "$log"; fi
	return $rc
}

configure_in() { # DIR CONFIGURE_ARGUMENT...
	local dir=$1
	shift
	mkdir -p "$dir" && (cd "$dir" && "$top/configure" -q "$@")
}

# make check, counted by automake's own summary.
check_in() { # NAME DIR
	local name=$1 dir=$2 log="$work/check.log" rc n t
	say "$name: make check"
	make -C "$dir" -j"$jobs" check >"$log" 2>&1
	rc=$?
	n=$(sed -n 's/^# PASS: *//p' "$log" | tail -1); passed=$((passed + ${n:-0}))
	n=$(sed -n 's/^# SKIP: *//p' "$log" | tail -1); skipped=$((skipped + ${n:-0}))
	grep -E '^(SKIP|FAIL|ERROR):' "$log" | sed 's/^/  /'
	[ $rc -ne 0 ] || return 0
	bad "$name: make check"
	# shellcheck disable=SC2013 # names of tests have no spaces
	for t in $(sed -nE 's/^(FAIL|ERROR): //p' "$log"); do
		echo "--- $t"
		tail -30 "$dir/$t.log" 2>/dev/null
	done
	grep -qE '^(FAIL|ERROR): ' "$log" || tail -40 "$log"
}

# The end-to-end tests, counted by pytest's summary.
e2e_with() { # NAME DIR PYTEST_ARGUMENT...
	local name=$1 dir=$2 log="$work/e2e.log" rc n
	shift 2
	say "$name: end to end"
	PGIAM="$dir/src/pgiam" /usr/bin/python3 -B -m pytest tests/e2e -q -rsfE -n "$jobs" --tb=short -p no:cacheprovider "$@" >"$log" 2>&1
	rc=$?
	n=$(tail -1 "$log" | grep -oE '[0-9]+ passed' | cut -d' ' -f1); passed=$((passed + ${n:-0}))
	n=$(tail -1 "$log" | grep -oE '[0-9]+ skipped' | cut -d' ' -f1); skipped=$((skipped + ${n:-0}))
	grep -E '^SKIPPED' "$log" | sed 's/^/  /'
	tail -1 "$log"
	[ $rc -ne 0 ] || return 0
	bad "$name: end to end"
	grep -vE '^(SKIPPED|[.sF]+ )' "$log" | tail -200
}

stage_gcc() {
	step "gcc: configure" configure_in "$work/gcc" CC=gcc --enable-werror && step "gcc: make" make -C "$work/gcc" -j"$jobs" || return
	check_in gcc "$work/gcc"
	e2e_with gcc "$work/gcc"
}

stage_clang() {
	step "clang: configure" configure_in "$work/clang" CC=clang --enable-werror --enable-sanitizers=address,undefined &&
		step "clang: make" make -C "$work/clang" -j"$jobs" || return
	check_in "clang, ASan, UBSan" "$work/clang"
	e2e_with "clang, ASan, UBSan" "$work/clang"
}

stage_thread() {
	step "thread: configure" configure_in "$work/thread" CC=clang --enable-werror --enable-sanitizers=thread &&
		step "thread: make" make -C "$work/thread" -j"$jobs" || return
	check_in "TSan" "$work/thread"
	PGIAM_TEST_WORKERS=4 e2e_with "TSan, four workers" "$work/thread" -m "not slow"
}

valgrind_one() { # DIR TEST
	case $2 in */test_provider_profile) # starts programs
		echo "  SKIP: $2: this valgrind does not know pidfd_open"
		return 0 ;;
	esac
	(cd "$1" && srcdir=$top builddir=$1 valgrind -q --suppressions="$top/tests/valgrind.supp" --error-exitcode=9 \
		--leak-check=full --errors-for-leak-kinds=definite "$2" >"$2.vg" 2>&1)
	[ $? -ne 9 ] || { echo "$2"; tail -30 "$2.vg"; return 1; }
}

# It takes a test some twenty times as long: several at a time.
valgrind_all() { # DIR
	export -f valgrind_one
	export top
	find "$1"/tests/unit/{base,pg,aws,app} -name 'test_*' -type f -executable -print0 |
		xargs -0 -P "$jobs" -I '{}' bash -c 'valgrind_one "$@"' _ "$1" '{}'
}

stage_memory() {
	[ -d "$work/gcc" ] || step "memory: configure" configure_in "$work/gcc" CC=gcc --enable-werror || return
	step "memory: make" make -C "$work/gcc" -j"$jobs" check TESTS= || return
	step "memory: valgrind over the unit tests" valgrind_all "$work/gcc"
}

stage_dist() {
	step "dist: configure" configure_in "$work/dist" CC=gcc || return
	step "dist: make distcheck" make -C "$work/dist" -j"$jobs" distcheck
}

contrib/dev/deps.sh test || exit 1
top=$(contrib/dev/tree.sh "$work/tree") && cd "$top" || exit 1
step "bootstrap" ./bootstrap.sh || exit 1
[ $# -gt 0 ] || set -- gcc clang thread memory dist
for stage in "$@"; do
	case $stage in
	gcc | clang | thread | memory | dist) "stage_$stage" ;;
	*) echo "no stage $stage" >&2; exit 2 ;;
	esac
done
say "done"
for f in "${failures[@]:-}"; do [ -z "$f" ] || echo "failed: $f"; done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
