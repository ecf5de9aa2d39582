"""What the lints share: where things are, C text without comments and strings, object files, exceptions, verdict.

A lint reads $srcdir and $builddir (the top ones, as `make check` sets them; "." by hand), prints one line a
violation and exits 0, 1, or 77 (skipped, with the reason printed).
"""
import os
import re
import shlex
import subprocess
import sys

SRCDIR = os.environ.get("srcdir", ".")
BUILDDIR = os.environ.get("builddir", ".")


class Report:
    """Violations of one lint, held against tests/lint/exceptions ("lint subject  # why", one a line)."""

    def __init__(self, lint):
        self.lint = lint
        self.excused = {}
        self.used = set()
        self.lines = []
        path = os.path.join(SRCDIR, "tests/lint/exceptions")
        for n, line in enumerate(open(path) if os.path.exists(path) else [], 1):
            text, _, why = line.partition("#")
            words = text.split()
            if not words:
                continue
            if len(words) != 2 or not why.strip():
                sys.exit(f"tests/lint/exceptions:{n}: want 'lint subject  # why'")
            if words[0] == lint:
                self.excused[words[1]] = n

    def add(self, subject, text):
        """subject: what an exception would name, without white space."""
        if subject in self.excused:
            self.used.add(subject)
        else:
            self.lines.append(f"{subject}: {text}")

    def finish(self, looked_at):
        """Never returns. looked_at: what was checked, in words; a lint that looked at nothing is broken."""
        for subject in sorted(set(self.excused) - self.used):
            line = self.excused[subject]
            self.lines.append(f"tests/lint/exceptions:{line}: {subject} is no longer needed, take it out")
        for line in self.lines:
            print(f"{self.lint}: {line}")
        print(f"{self.lint}: {looked_at}, {len(self.lines)} violations, {len(self.used)} excused")
        sys.exit(1 if self.lines else 0)


def skip(lint, why):
    print(f"{lint}: skipped: {why}")
    sys.exit(77)


def files(tops, suffixes):
    """Paths below $srcdir/<top> with one of these suffixes, relative to $srcdir, sorted."""
    found = []
    for top in tops:
        for folder, dirs, names in os.walk(os.path.join(SRCDIR, top)):
            dirs[:] = [d for d in dirs if not d.startswith(".")]
            found += [os.path.join(folder, n) for n in names if n.endswith(tuple(suffixes))]
    return sorted(os.path.relpath(p, SRCDIR) for p in found)


def read(path):
    with open(os.path.join(SRCDIR, path), encoding="utf-8") as f:
        return f.read()


TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def bare(text, keep_strings=False):
    """C text with comments (and strings) blanked out; line numbers stay."""

    def blank(m):
        s = m.group(0)
        if s[0] in "\"'":
            return s if keep_strings else s[0] + s[0]
        return " " + "\n" * s.count("\n")

    return TOKEN.sub(blank, text)


def build_var(name):
    """A variable of the Makefile, as tests/lint/build.env has it."""
    try:
        with open(os.path.join(BUILDDIR, "tests/lint/build.env")) as f:
            for line in f:
                key, _, value = line.rstrip("\n").partition("=")
                if key == name:
                    return shlex.split(value)
    except FileNotFoundError:
        pass
    return []


class Symbol:
    def __init__(self, layer, member, bind, kind, section, name):
        self.layer, self.member, self.bind, self.kind, self.section, self.name = layer, member, bind, kind, section, name


def entries():
    """The symbol tables of the program's own object files, src/lib*.a and src/main.o: what they define and what they need."""
    src = os.path.join(BUILDDIR, "src")
    objects = [os.path.join(src, n) for n in sorted(os.listdir(src)) if n.endswith(".a") or n == "main.o"]
    for path in objects:
        layer = re.sub(r"^lib|\.[ao]$", "", os.path.basename(path))
        text = subprocess.run(["objdump", "-t", path], check=True, capture_output=True, text=True).stdout
        member = os.path.basename(path)
        for line in text.splitlines():
            m = re.match(r"(\S+):\s+file format", line)
            if m:
                member = re.sub(r"^src_lib\w+_a-", "", os.path.basename(m.group(1)))
                continue
            # value, seven flag characters, section, TAB size, name
            m = re.match(r"[0-9a-f]+ (.{7}) (\S+)\t[0-9a-f]+\s+(?:\.hidden |\.internal |\.protected )?(\S+)$", line)
            if m:
                flags, section, name = m.groups()
                yield Symbol(layer, member, flags[0], flags[6], section, name)


def symbols(lint):
    """Every symbol that the program's own object files define."""
    out = [s for s in entries() if s.section != "*UND*"]
    if not any(s.kind == "F" for s in out):
        skip(lint, "no functions in the object files (nothing built, or link-time optimisation)")
    return out


def needed():
    """Every symbol that one of them names and does not define."""
    return [s for s in entries() if s.section == "*UND*"]
