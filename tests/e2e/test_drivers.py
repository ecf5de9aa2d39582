"""Unmodified programs and drivers through pgiam, in plaintext and in TLS: nothing is changed in them but host and port."""
import asyncio
import io
import os
import ssl
import subprocess

import psycopg
import pytest

import wire
from files import put
from proxy import environment



TLS = pytest.mark.parametrize("sslmode", ["disable", "require"], ids=["plaintext", "tls"])


def run(words, pgiam, sslmode="disable", timeout=110, stdin=None, **env):
    """A program, told by PGHOST and friends where to go; its stdout."""
    right = dict(PGHOST="127.0.0.1", PGPORT=pgiam.port, PGUSER="app_user", PGDATABASE="app", PGSSLMODE=sslmode,
                 PGAPPNAME="e2e")
    done = subprocess.run(words, env=environment(dict(right, **env)), input=stdin, capture_output=True, text=True,
                          timeout=timeout, check=False)
    assert done.returncode == 0, "%s\n%s\n%s" % (words, done.stdout[-3000:], done.stderr[-3000:])
    return done.stdout


# ---- PostgreSQL's own programs ----

@TLS
def test_psql(rds, pgiam, sslmode):
    out = run([rds.program("psql"), "-XAt", "-c", "select current_user", "-c", "\\conninfo", "-c", "\\dt", "-c", "\\l"], pgiam,
              sslmode)
    assert out.splitlines()[0] == "app_user"
    assert (("SSL Connection|true" if rds.major >= 18 else "SSL connection") in out) == (sslmode == "require")


def test_psql_script(rds, pgiam):
    script = """
\\set ON_ERROR_STOP 1
create table t (a int, b text);
\\copy t from pstdin
1\tone
2\ttwo
\\.
begin; savepoint s; insert into t values (3, 'three'); rollback to s; commit;
select count(*) as n from t \\gset
\\if :{?n}
\\echo n is :n
\\endif
select * from t order by a \\gdesc
\\copy t to pstdout
"""
    script = script.replace("pstdin", "stdin")
    out = run([rds.program("psql"), "-XAtq"], pgiam, stdin=script)
    assert out.splitlines() == ["n is 2", "a|integer", "b|text", "1\tone", "2\ttwo"]


def test_psql_fails_as_directly(rds, pgiam):
    """What a user reads when the login fails, with DETAIL and HINT."""
    rds.fault("deny", "app_user")
    done = subprocess.run([rds.program("psql"), pgiam.conninfo(), "-c", "select 1"], env=environment({}), capture_output=True,
                          text=True, check=False)
    assert done.returncode == 2
    for word in ("FATAL:", "DETAIL:", "HINT:"):
        assert word in done.stderr, done.stderr


def test_pg_isready(rds, pgiam):
    assert "accepting connections" in run([rds.program("pg_isready")], pgiam)


@TLS
@pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
def test_pgbench(rds, pgiam, sslmode, mode):
    pgbench = rds.program("pgbench")
    run([pgbench, "-i", "-q", "-s", "1"], pgiam, sslmode)
    out = run([pgbench, "-n", "-M", mode, "-c", "8", "-j", "2", "-t", "100"], pgiam, sslmode)
    assert "number of transactions actually processed: 800/800" in out
    assert rds.major < 15 or "number of failed transactions: 0 (0.000%)" in out
    total = "select sum(delta) from pgbench_history", "select sum(abalance) from pgbench_accounts"
    assert pgiam.sql(total[0]) == pgiam.sql(total[1])


@TLS
def test_pgbench_connects_for_each_transaction(rds, pgiam, sslmode):
    run([rds.program("pgbench"), "-i", "-q"], pgiam, sslmode)
    out = run([rds.program("pgbench"), "-n", "-S", "-C", "-c", "4", "-t", "25"], pgiam, sslmode)
    assert "actually processed: 100/100" in out
    assert rds.logins()["requests"] <= 20


def test_pgbench_pipelines(rds, pgiam, workdir):
    path = os.path.join(workdir, "pipeline.sql")
    put(path, "\\startpipeline\n" + "select 1;\n" * 20 + "\\endpipeline\n")
    for mode in ("extended", "prepared"):
        out = run([rds.program("pgbench"), "-n", "-M", mode, "-f", path, "-c", "4", "-t", "100"], pgiam)
        assert "actually processed: 400/400" in out


@TLS
def test_pg_dump_and_restore(rds, pgiam, sslmode, workdir):
    run([rds.program("pgbench"), "-i", "-q", "-s", "2"], pgiam, sslmode)
    pgiam.sql("create table odd (\"a b\" text, c bytea, d jsonb); insert into odd values "
              "(E'tab\\tand\\nline', '\\x00ff', '{\"x\": [1, 2]}')")
    dump = os.path.join(workdir, "dump")
    run([rds.program("pg_dump"), "-Fc", "-f", dump], pgiam, sslmode)
    before = pgiam.sql("select count(*), md5(string_agg(t::text, '' order by aid)) from pgbench_accounts t")
    pgiam.sql("drop table pgbench_accounts, pgbench_branches, pgbench_tellers, pgbench_history, odd")
    run([rds.program("pg_restore"), "-d", "app", "--no-owner", "--exit-on-error", dump], pgiam, sslmode)
    assert pgiam.sql("select count(*), md5(string_agg(t::text, '' order by aid)) from pgbench_accounts t") == before
    assert pgiam.sql("select * from odd") == [("tab\tand\nline", b"\x00\xff", {"x": [1, 2]})]


def test_parallel_dump(rds, pgiam, workdir):
    run([rds.program("pgbench"), "-i", "-q"], pgiam)
    run([rds.program("pg_dump"), "-Fd", "-j", "3", "-f", os.path.join(workdir, "dump")], pgiam)
    pgiam.sql("drop table pgbench_accounts, pgbench_branches, pgbench_tellers, pgbench_history")
    run([rds.program("pg_restore"), "-d", "app", "-j", "3", "--no-owner", "--exit-on-error", os.path.join(workdir, "dump")],
        pgiam)
    assert pgiam.sql("select count(*) from pgbench_accounts") == [(100000,)]


# ---- replication ----

@pytest.mark.parametrize("wal", ["fetch", "stream"])
def test_pg_basebackup(rds, pgiam, workdir, wal):
    where = os.path.join(workdir, "backup")
    run([rds.program("pg_basebackup"), "-D", where, "-c", "fast", "-X", wal], pgiam, PGUSER="repl_user")
    run([rds.program("pg_verifybackup"), where], pgiam)
    assert pgiam.sql("select current_user::text", user="repl_user") == [("repl_user",)]


@pytest.mark.parametrize("kind", ["true", "database"])
def test_name_of_a_standby(rds, pgiam, kind):
    """By it the server knows a synchronous standby; a physical one cannot be told to SET it."""
    with pgiam.wire() as w:
        w.login(user="repl_user", replication=kind, application_name="standby")
        assert w.parameters["application_name"] == "standby"
        assert wire.kinds(w.ask("IDENTIFY_SYSTEM")) == "TDCZ"
        assert rds.admin("select application_name, backend_type from pg_stat_activity where usename = 'repl_user'") == [
            ("standby", "walsender")]


def test_pg_recvlogical(another_rds, pgiam_for, workdir):
    rds = another_rds("--name", "logical", "--set", "wal_level=logical")
    pgiam = pgiam_for(rds)
    out = os.path.join(workdir, "changes")
    tool = [rds.program("pg_recvlogical"), "--slot", "e2e", "-d", "app"]
    run([*tool, "--create-slot", "-P", "test_decoding"], pgiam, PGUSER="repl_user")
    for statement in ("create table t (a int)", "insert into t values (42)", "create table u (a int)", 
                      # flushed, so that what is asked for is there to be sent
                      "begin; set local synchronous_commit = on; insert into u values (1); commit"):
        pgiam.sql(statement)
    end = rds.admin("select pg_current_wal_lsn()::text")[0][0]
    run([*tool, "--start", "--endpos", end, "-f", out, "-F", "0"], pgiam, PGUSER="repl_user")
    with open(out, encoding="utf-8") as file:
        assert "INSERT: a[integer]:42" in file.read()
    run([*tool, "--drop-slot"], pgiam, PGUSER="repl_user")


# ---- psycopg ----

@TLS
def test_psycopg(pgiam, sslmode):
    with pgiam.connect(sslmode=sslmode, autocommit=False) as conn:
        conn.execute("create table t (a int primary key, b text)")
        with conn.cursor() as cursor:
            cursor.executemany("insert into t values (%s, %s)", [(i, str(i)) for i in range(100)])
        conn.commit()
        for prepare in (False, True):
            for i in range(10):
                assert conn.execute("select b from t where a = %s", (i,), prepare=prepare).fetchone() == (str(i),)
        with pytest.raises(psycopg.errors.UniqueViolation):
            conn.execute("insert into t values (1, 'again')")
        conn.rollback()
        with conn.cursor("on_the_server") as cursor:
            cursor.itersize = 7
            cursor.execute("select a from t order by a")
            assert [r[0] for r in cursor] == list(range(100))
        with conn.cursor(binary=True) as cursor:
            assert cursor.execute("select a, b from t where a < 2 order by a").fetchall() == [(0, "0"), (1, "1")]
        with conn.pipeline():
            cursors = [conn.execute("select %s::int", (i,)) for i in range(50)]
        assert [c.fetchone()[0] for c in cursors] == list(range(50))
        with conn.transaction(), conn.transaction():
            conn.execute("insert into t values (1000, 'nested')")
        with conn.cursor().copy("copy t to stdout") as copy:
            assert sum(1 for _ in copy.rows()) == 101


def test_psycopg_notifications(pgiam):
    with pgiam.connect() as one, pgiam.connect() as two:
        one.execute("listen channel")
        two.execute("notify channel, 'text'")
        notify = next(one.notifies())
        assert (notify.channel, notify.payload) == ("channel", "text")
        assert notify.pid == two.execute("select pg_backend_pid()").fetchone()[0]


def test_psycopg_async(pgiam):
    async def work():
        conn = await psycopg.AsyncConnection.connect(pgiam.conninfo(), autocommit=True)
        async with conn:
            rows = await (await conn.execute("select generate_series(1, 3)")).fetchall()
            assert rows == [(1,), (2,), (3,)]
    asyncio.run(work())


@TLS
def test_psycopg2(pgiam, sslmode):
    psycopg2 = pytest.importorskip("psycopg2")
    conn = psycopg2.connect(host="127.0.0.1", port=pgiam.port, user="app_user", dbname="app", sslmode=sslmode)
    with conn, conn.cursor() as cursor:
        cursor.execute("create table t (a int, b text)")
        cursor.copy_from(io.StringIO("1\tone\n2\ttwo\n"), "t")
        out = io.StringIO()
        cursor.copy_to(out, "t")
        assert out.getvalue() == "1\tone\n2\ttwo\n"
        cursor.execute("select %s::int[], %s::json", ([1, 2], '{"a": 1}'))
        assert cursor.fetchone() == ([1, 2], {"a": 1})
    big = conn.lobject(0, "wb")
    big.write(b"x" * 100000)
    big.seek(0)
    big.close()
    oid = big.oid
    assert len(conn.lobject(oid, "rb").read()) == 100000
    conn.lobject(oid).unlink()
    conn.close()


# ---- asyncpg ----

@TLS
def test_asyncpg(pgiam, sslmode):
    asyncpg = pytest.importorskip("asyncpg")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    async def work():
        conn = await asyncpg.connect(host="127.0.0.1", port=pgiam.port, user="app_user", database="app", password="ignored",
                                     ssl=context if sslmode == "require" else False, timeout=20)
        await conn.execute("create table t (a int, b text)")
        await conn.executemany("insert into t values ($1, $2)", [(i, str(i)) for i in range(50)])
        statement = await conn.prepare("select b from t where a = $1")
        assert [await statement.fetchval(i) for i in range(5)] == ["0", "1", "2", "3", "4"]
        async with conn.transaction():
            seen = [r["a"] async for r in conn.cursor("select a from t order by a", prefetch=7)]
        assert seen == list(range(50))
        out = io.BytesIO()
        await conn.copy_from_query("select * from t order by a limit 2", output=out)
        assert out.getvalue() == b"0\t0\n1\t1\n"
        await conn.copy_records_to_table("t", records=[(100, "x")])
        heard = asyncio.get_running_loop().create_future()
        await conn.add_listener("news", lambda c, pid, channel, text: heard.set_result(text))
        await conn.execute("notify news, 'hi'")
        assert await asyncio.wait_for(heard, 10) == "hi"
        with pytest.raises(asyncpg.DivisionByZeroError):
            await conn.fetchval("select 1/0")
        with pytest.raises(asyncio.TimeoutError):
            await conn.execute("select pg_sleep(30)", timeout=0.3)
        assert await conn.fetchval("select 5") == 5
        await conn.close()
    asyncio.run(work())


def test_asyncpg_pool(pgiam):
    asyncpg = pytest.importorskip("asyncpg")

    async def work():
        pool = await asyncpg.create_pool(host="127.0.0.1", port=pgiam.port, user="app_user", database="app", min_size=2,
                                         max_size=5, ssl=False)

        async def one(i):
            async with pool.acquire() as conn:
                return await conn.fetchval("select $1::int", i)
        assert await asyncio.gather(*(one(i) for i in range(200))) == list(range(200))
        await pool.close()
    asyncio.run(work())

