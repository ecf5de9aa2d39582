"""asyncpg."""
import asyncio
import json
import os
import ssl

import asyncpg


def context():
    if os.environ["PGSSLMODE"] != "require":
        return False
    out = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    out.check_hostname, out.verify_mode = False, ssl.CERT_NONE
    return out


async def main():
    conn = await asyncpg.connect(ssl=context(), timeout=20)
    seen = {"driver": "asyncpg %s" % asyncpg.__version__}
    seen["user"] = await conn.fetchval("select current_user::text")
    seen["parameters"] = list(await conn.fetchrow("select $1::int + 1, upper($2::text)", 41, "grün"))
    statement = await conn.prepare("select $1::int")
    seen["prepared"] = [await statement.fetchval(n) for n in (1, 2, 3)]
    try:
        await conn.fetchval("select 1/$1::int", 0)
    except asyncpg.PostgresError as e:
        seen["error"] = e.sqlstate
    await conn.execute("create table t (a int)")
    transaction = conn.transaction()
    await transaction.start()
    await conn.execute("insert into t values ($1)", 1)
    await transaction.rollback()
    seen["rolled_back"] = await conn.fetchval("select count(*) from t")
    async with conn.transaction():
        seen["rows"] = len([r async for r in conn.cursor("select generate_series(1, 20000)", prefetch=500)])
    await conn.copy_records_to_table("t", records=[(1,), (2,), (3,)])
    seen["copied"] = await conn.fetchval("select count(*) from t")
    await conn.execute("set application_name = 'later'")
    seen["application"] = conn.get_settings().application_name
    try:
        await conn.execute("select pg_sleep(60)", timeout=0.5)  # a CancelRequest
    except asyncio.TimeoutError:
        seen["cancelled"] = "57014"
    assert await conn.fetchval("select 1") == 1
    await conn.close()
    print(json.dumps(seen))


asyncio.run(main())
