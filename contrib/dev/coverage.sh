#!/bin/bash
# Coverage of whatever reads bytes from outside and of the proxy, and which legal transitions of the state machines were
# ever made, by unit tests, simulator and fuzz corpora. Lines that nothing reached: BUILD_DIR/unreached. Needs clang and
# llvm (llvm-profdata, llvm-cov).
# usage: contrib/dev/coverage.sh [BUILD_DIR [CORPUS...]]
#
#   BUILD_DIR  kept, and used again (default: a new one under $TMPDIR)
#   CORPUS     a directory named after a fuzz target, with more inputs than the committed ones
set -euo pipefail
cd "$(dirname "$0")/../.."
top=$PWD
build=${1:-$(mktemp -d "${TMPDIR:-/tmp}/pgiam-coverage-XXXXXX")}
shift || true
mkdir -p "$build"
build=$(cd "$build" && pwd)

[ -f "$build/Makefile" ] || (cd "$build" && "$top/configure" -q --disable-hardening CC="${CC:-clang}" \
	CFLAGS="-O1 -g -fprofile-instr-generate -fcoverage-mapping -DSTATE_TRACE=198" LDFLAGS="-fprofile-instr-generate")
cat >"$build/programs.mk" <<'EOF'
include Makefile
programs:
	@printf '%s\n' $(filter tests/unit/pg/% tests/unit/proxy/% tests/unit/io/test_dial tests/unit/io/test_addr tests/unit/io/test_tls% tests/unit/io/test_stream% \
		tests/unit/aws/% tests/unit/app/% tests/unit/http/test_host tests/sim/% tests/fuzz/%,$(check_PROGRAMS))
EOF
make -s -C "$build" Makefile
mapfile -t programs < <(make -s -C "$build" -f programs.mk programs)
make -s -C "$build" -j"$(nproc)" "${programs[@]}"

rm -f "$build"/*.profraw "$build"/transitions
export LLVM_PROFILE_FILE="$build/%4m.profraw" srcdir=$top
exec 198>>"$build/transitions"
for p in "${programs[@]}"; do
	(cd "$build" && "./$p") >"$build/last.log" 2>&1 || { echo "$p failed:"; tail -5 "$build/last.log"; }
done
for corpus in "$@"; do
	(cd "$build" && "tests/fuzz/$(basename "$corpus")" "$corpus") | tail -1
done

llvm-profdata merge -sparse -o "$build/all.profdata" "$build"/*.profraw
objects=()
for p in "${programs[@]:1}"; do objects+=(-object "$build/$p"); done
# What reads bytes from outside (tests/fuzz/README.md), and what they drive.
sources=("$top"/src/pg/*.c "$top"/src/proxy/*.c "$top"/src/base/{enc,rd}.c "$top"/src/http/host.c
	"$top"/src/io/{addr,stream,stream_tls,tls,tls_verify,dial}.c
	"$top"/src/aws/{call_verdict,container_host,date,dpop,endpoint,env,json,login_cache,profile_file,profile_plan}.c
	"$top"/src/aws/{provider_env,provider_process,reply,secret_value,sso_cache,sts_reply,token_host,url,words,xml}.c
	"$top"/src/app/{connstr,conf_listen,inherited,ini_file,options,options_parse}.c)
cov=("$build/${programs[0]}" "${objects[@]}" -instr-profile "$build/all.profdata")
llvm-cov report "${cov[@]}" --show-region-summary=false "${sources[@]}" | sed "s,$top/,,"

llvm-cov export "${cov[@]}" --format=lcov --skip-functions "${sources[@]}" |
	awk -F'[:,]' -v top="$top/" '
		$1 == "SF" { file = $2; sub(top, "", file); n = 0; while ((getline line < $2) > 0) text[++n] = line; close($2) }
		$1 == "DA" && $3 == 0 { print file ":" $2 ":" text[$2] }' >"$build/unreached"
echo
echo "lines never reached: $(wc -l <"$build/unreached"), in $build/unreached"

# machine, from, to
sed -E 's,^[^ ]*/([a-z_]+)\.c ,\1 ,' "$build/transitions" | sort | uniq -c >"$build/seen"
"$build/tests/unit/proxy/test_state" --list | sort >"$build/legal"
awk '{print $2, $3, $4}' "$build/seen" | sort | comm -13 - "$build/legal" >"$build/unseen"
echo
echo "transitions: $(wc -l <"$build/legal") legal, $(wc -l <"$build/unseen") never made:"
cat "$build/unseen"
