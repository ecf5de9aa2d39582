"""contrib/dev: from which tree, and as whom, the scripts there build."""
import os
import shutil
import subprocess

import pytest

from files import put
from proxy import HERE

DEV = os.path.normpath(os.path.join(HERE, "..", "..", "contrib", "dev"))
BUILT = ("config.status", "made.o")


def run(*words, **kw):
    return subprocess.run(words, capture_output=True, text=True, check=True, **kw).stdout.strip()


@pytest.fixture
def source(workdir):
    """A source tree with these scripts and a file."""
    os.chmod(workdir, 0o755)
    shutil.copytree(DEV, workdir + "/source/contrib/dev")
    put(workdir + "/source/file", "")
    return workdir + "/source"


def test_clean_tree(source, workdir):
    assert run(source + "/contrib/dev/tree.sh", workdir + "/copy") == source
    assert not os.path.exists(workdir + "/copy")


def test_tree_that_was_built_in(source, workdir):
    """./configure && make, as the README says, and then demo.sh or test.sh: neither fails nor costs what was built."""
    put(source + "/Makefile", "distclean:\n\trm -f Makefile %s\n" % " ".join(BUILT))
    for name in BUILT:
        put(source + "/" + name, "")
    for name in ("build-aux", "build-x"):
        os.mkdir(source + "/" + name)
    copy = run("contrib/dev/tree.sh", workdir + "/copy", cwd=source)
    assert sorted(os.listdir(copy)) == ["build-aux", "contrib", "file"]
    assert all(os.path.exists(source + "/" + name) for name in BUILT)
    assert run(copy + "/contrib/dev/tree.sh", workdir + "/another") == copy


def test_demo_becomes_root(source, workdir):
    """Wherever it was started from."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to be somebody else")
    put(workdir + "/sudo", '#!/bin/sh\necho "$@"\n', mode=0o755)
    said = run("./demo.sh", "--keep", cwd=source + "/contrib/dev", user="nobody",
               env=dict(os.environ, PATH=workdir + ":" + os.environ["PATH"]))
    assert said == source + "/contrib/dev/demo.sh --keep"
