#!/bin/sh
# Prints the directory to build from: this tree, or, if something was built in it (./configure && make), a copy of it
# without that, which it makes as DIR. Automake builds in another directory from clean trees only, and what somebody built
# is not to be thrown away for a test.
# usage: contrib/dev/tree.sh DIR
set -eu
cd "$(dirname "$0")/../.."
if [ -e config.status ]; then
	mkdir "$1"
	# without other builds beside it; the times of files are kept, or everything would be made anew
	tar -cf - --exclude=./.git --exclude='./build-[!a]*' --exclude='./build-a[!u]*' . | tar -xf - -C "$1"
	cd "$1"
	make -s distclean >&2
fi
pwd
