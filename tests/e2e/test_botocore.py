"""pgiam beside botocore, the AWS CLI's own library, where some python3 of this machine has it: tokens for inputs made up on the
spot, and what the AWS files mean; whose credentials are found is test_botocore_found.py. Needs neither PostgreSQL nor root."""
import json
import os
import random
import string
import subprocess
import urllib.parse

import pytest

import proxy
from beside import MISSING, python

SEED = int(os.environ.get("PGIAM_TEST_SEED") or random.randrange(10**9))


def botocore(program, what):
    """What a program of botocore's prints as JSON, given `what` as JSON."""
    if python() is None:
        pytest.skip(MISSING)
    here = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    here.update({"AWS_EC2_METADATA_DISABLED": "true", "HOME": "/nonexistent"})
    done = subprocess.run([python(), "-c", program], input=json.dumps(what), env=here, capture_output=True, text=True, timeout=60,
                          check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# ---- tokens ----

SIGN = """
import json, sys, botocore.session
answers = []
for q in json.load(sys.stdin):
    session = botocore.session.Session()
    session.set_credentials(q["key"], q["secret"], q["session"])
    if q["kind"] == "rds":
        client = session.create_client("rds", region_name=q["region"])
        answers.append(client.generate_db_auth_token(q["host"], q["port"], q["user"], Region=q["region"]))
    else:
        client = session.create_client("dsql", region_name=q["region"])
        make = client.generate_db_connect_admin_auth_token if q["user"] == "admin" else client.generate_db_connect_auth_token
        answers.append(make(q["host"], Region=q["region"]))
print(json.dumps(answers))
"""


def questions():
    r = random.Random(SEED)

    def text(n, letters):
        return "".join(r.choice(letters) for _ in range(n))

    def one(kind):
        region = r.choice(["us-east-1", "eu-central-1", "ap-southeast-2", "us-gov-west-1", "cn-north-1"])
        name = text(r.randint(1, 20), string.ascii_lowercase + string.digits)
        host = "%s.c9akciq32rgw.%s.rds.amazonaws.com" % (name, region)
        user = text(r.randint(1, 40), string.ascii_letters + string.digits + "_-.~!*'()/@+= %&#?äß漢😀")
        if kind == "dsql":
            host = "%s.dsql.%s.on.aws" % (text(26, string.ascii_lowercase), region)
            user = r.choice(["admin", "app_user"])
        return {"kind": kind, "host": host, "port": r.randint(1, 65535), "user": user, "region": region,
                "key": text(4, "AS") + text(16, string.ascii_uppercase + string.digits),
                "secret": text(40, string.ascii_letters + string.digits + "+/"),
                "session": text(r.randint(1, 1500), string.ascii_letters + string.digits + "+/=") if r.random() < 0.7 else None}
    return [one(kind) for kind in ["rds"] * 20 + ["dsql"] * 8]


def parts(token):
    place, _, query = token.partition("?")
    return place, sorted(query.split("&"))


def test_tokens():
    """The same but for the order of what is signed, which means nothing. PGIAM_TEST_SEED repeats a run."""
    asked = questions()
    for q, theirs in zip(asked, botocore(SIGN, asked)):
        when = urllib.parse.parse_qs(theirs.partition("?")[2])["X-Amz-Date"][0]
        at = "%s-%s-%sT%s:%s:%sZ" % (when[:4], when[4:6], when[6:8], when[9:11], when[11:13], when[13:15])
        env = {"AWS_ACCESS_KEY_ID": q["key"], "AWS_SECRET_ACCESS_KEY": q["secret"], "AWS_SESSION_TOKEN": q["session"]}
        done = proxy.pgiam("token", "--host", q["host"], "--port", str(q["port"]), "--user", q["user"], "--region", q["region"],
                           "--at", at, env=env)
        assert done.returncode == 0, done.stderr
        assert parts(done.stdout.strip()) == parts(theirs), "seed %d: %s" % (SEED, q)


# ---- the AWS files ----

READ = """
import json, os, sys, botocore.session
answers = []
for env, profile in json.load(sys.stdin):
    os.environ.update(env)
    session = botocore.session.Session(profile=profile)
    try:
        credentials = session.get_credentials()
        answers.append([session.get_config_variable("region"), credentials.access_key, credentials.secret_key])
    except Exception as e:
        answers.append([type(e).__name__])
print(json.dumps(answers))
"""
KEYS = "aws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = a#b;c=d\n"
WITHOUT = "region = eu-west-1\n"

# name: (config, credentials, profile); both read the same
SAME = {
    "plain": ("[default]\n" + WITHOUT, "[default]\n" + KEYS, "default"),
    "one file": ("[profile x]\n" + WITHOUT + KEYS, "", "x"),
    "credentials win": ("[default]\nregion = us-west-1\n", "[default]\n" + WITHOUT + KEYS, "default"),
    "name in quotes": ("[profile \"a b\"]\n" + WITHOUT + KEYS, "", "a b"),
    "name in single quotes": ("[profile 'a b']\n" + WITHOUT + KEYS, "", "a b"),
    "name of UTF-8": ("[profile grün]\n" + WITHOUT + KEYS, "", "grün"),
    "name with a tab": ("[profile\tx]\n" + WITHOUT + KEYS, "", "x"),
    "default by its long name": ("[profile default]\n" + WITHOUT + KEYS, "", "default"),
    "names in capitals": ("[default]\nREGION = eu-west-1\nAws_Access_Key_Id = AKIA\nAWS_SECRET_ACCESS_KEY = s\n", "", "default"),
    "comments": ("# c\n; c\n[default] # c\n# region = a\n  ; region = b\n" + WITHOUT + KEYS, "", "default"),
    "CRLF": (("[default]\n" + WITHOUT + "s3 =\n  region = nested\n" + KEYS).replace("\n", "\r\n"), "", "default"),
    "no newline at the end": ("[default]\n" + KEYS + "region = eu-west-1", "", "default"),
    "blanks around": ("[default]\n  \nregion\t=  eu-west-1 \t\n" + KEYS, "", "default"),
    "nested": ("[default]\ns3 =\n  region = nested\n  # c\n\n\taws_access_key_id = nested\n" + WITHOUT + KEYS, "", "default"),
    "all indented": ("[default]\n" + "".join("  %s\n" % line for line in (WITHOUT + KEYS).splitlines()), "", "default"),
    "nested and all indented": ("[default]\n  s3 =\n    region = nested\n  region = eu-west-1\n" + KEYS, "", "default"),
    "first one indented": ("[default]\n  region = eu-west-1\n" + KEYS, "", "default"),
    "looks like a setting": ("[default]\noutput = json\n  region = more of output\n" + WITHOUT + KEYS, "", "default"),
    "looks like a section": ("[default]\noutput = json\n  [profile x]\n" + WITHOUT + KEYS, "", "default"),
    "other sections": ("[sso-session default]\nregion = a\n[services default]\nregion = b\n[plugins]\nregion = c\n[default]\n" +
                       WITHOUT + KEYS, "", "default"),
    "equals signs": ("[default]\n" + WITHOUT + KEYS + "role_session_name = a=b==\n", "", "default"),
    "percent signs": ("[default]\n" + WITHOUT + KEYS + "x = %(y)s %%\n", "", "default"),
}

# name: (config, credentials, profile, what pgiam says); why it differs from botocore stands behind each
OTHERWISE = {
    # The guide has comments behind values; botocore takes the whole for the region, which then is none.
    "comment behind a value": ("[default]\nregion = eu-west-1 # c\n" + KEYS, "", "default", "eu-west-1"),
    # A file that editors of another system saved: botocore refuses the file for its mark.
    "BOM": ("\ufeff[default]\n" + WITHOUT + KEYS, "", "default", "eu-west-1"),
    # What somebody wrote twice by mistake makes botocore refuse the whole file, with all the profiles that are right. The guide
    # and other SDKs have the later one.
    "setting twice": ("[default]\nregion = us-west-1\n" + WITHOUT + KEYS, "", "default", "eu-west-1"),
    "section twice": ("[default]\nregion = us-west-1\n" + KEYS + "[default]\n" + WITHOUT, "", "default", "eu-west-1"),
    # The guide: [profile default] goes before [default]; botocore takes the later one.
    "default by both names": ("[profile default]\n" + WITHOUT + KEYS + "[default]\nregion = us-west-1\n", "", "default", "eu-west-1"),
    # One bad section is no reason to refuse the others.
    "nonsense elsewhere": ("[profile x]\nnonsense\n[default]\n" + WITHOUT + KEYS, "", "default", "eu-west-1"),
    "nonsense before": ("nonsense\n[default]\n" + WITHOUT + KEYS, "", "default", "eu-west-1"),
    # Blanks in brackets, and a name of two words without quotes, can mean one thing only.
    "blanks in brackets": ("[ default ]\n" + WITHOUT + KEYS, "", "default", "eu-west-1"),
    "two words": ("[profile a b]\n" + WITHOUT + KEYS, "", "a b", "eu-west-1"),
    # The guide has = only. A line that is no setting is told instead of being passed over or guessed at.
    "colon": ("[default]\nregion: eu-west-1\n" + KEYS, "", "default", "neither [section] nor name = value"),
    # No value has control characters: something else is wrong with the file.
    "control characters": ("[default]\nregion = eu-west\x01-1\n" + KEYS, "", "default", "control character"),
}


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    """Of each case the environment, and what botocore reads there: [region, key, secret], or an error's name."""
    names = list(SAME) + list(OTHERWISE)
    asked = [(files(str(tmp_path_factory.mktemp("aws")), *case[:2]), case[2]) for case in [*SAME.values(), *OTHERWISE.values()]]
    return {name: (env, told) for name, (env, _), told in zip(names, asked, botocore(READ, asked))}


def files(workdir, config, credentials):
    env = {}
    for variable, name, text in (("AWS_CONFIG_FILE", "config", config), ("AWS_SHARED_CREDENTIALS_FILE", "credentials", credentials)):
        env[variable] = os.path.join(workdir, name)
        with open(env[variable], "w", newline="", encoding="utf-8") as file:
            file.write(text)
    return env


def read_by_pgiam(env, profile):
    """Region and key of a token, checked against a secret; or what is said instead."""
    args = ("token", "--host", "db.example.com", "--user", "u", "--at", "2026-01-15T12:34:56Z")
    done = proxy.pgiam(*args, env=dict(env, AWS_PROFILE=profile))
    if done.returncode != 0:
        return [done.stderr]
    key, _, region = urllib.parse.parse_qs(done.stdout.partition("?")[2])["X-Amz-Credential"][0].split("/")[:3]
    return [region, key, done.stdout]


@pytest.mark.parametrize("name", SAME)
def test_files(theirs, name):
    env, (region, key, secret) = theirs[name]
    assert region == "eu-west-1"
    ours = read_by_pgiam(env, SAME[name][2])
    assert ours[:2] == [region, key], ours
    told = proxy.pgiam("token", "--host", "db.example.com", "--user", "u", "--at", "2026-01-15T12:34:56Z",
                       env={"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_REGION": region})
    assert ours[2] == told.stdout


@pytest.mark.parametrize("name", OTHERWISE)
def test_files_read_otherwise(theirs, name):
    """Where pgiam follows the SDKs' guide or is kinder; should botocore come to read it so, it belongs above."""
    env, told = theirs[name]
    profile, wanted = OTHERWISE[name][2:]
    assert wanted in read_by_pgiam(env, profile)[0]
    assert told[0] != wanted
