// postgres.js. It pipelines by itself, and describes every statement.
'use strict';
const fs = require('fs');
const path = require('path');
const postgres = require('postgres');

const { version } = JSON.parse(fs.readFileSync(path.join(path.dirname(require.resolve('postgres')), '../../package.json')));

async function main() {
	const seen = { driver: `postgres.js ${version}` };
	const ssl = process.env.PGSSLMODE === 'require' ? { rejectUnauthorized: false } : false;
	const sql = postgres({ ssl, max: 1, onnotice: () => {} });
	const value = async (query) => (await query)[0].v;
	seen.user = await value(sql`select current_user::text as v`);
	seen.parameters = (await sql`select ${41}::int + 1, upper(${'grün'}::text)`.values())[0];
	seen.prepared = [];
	for (const n of [1, 2, 3]) seen.prepared.push(await value(sql`select ${n}::int as v`));
	await sql`select 1/${0}::int`.catch((error) => (seen.error = error.code));
	await sql`create table t (a int)`;
	await sql.begin(async (tx) => {
		await tx`insert into t values (1)`;
		throw new Error('on purpose');
	}).catch(() => {});
	seen.rolled_back = await value(sql`select count(*)::int as v from t`);
	seen.rows = 0;
	await sql`select generate_series(1, 20000)`.cursor(1000, (rows) => { seen.rows += rows.length; });
	const copy = await sql`copy t from stdin`.writable();
	await new Promise((resolve, reject) => copy.on('error', reject).on('finish', resolve).end('1\n2\n3\n'));
	seen.copied = await value(sql`select count(*)::int as v from t`);
	await sql`set application_name = 'later'`;
	seen.application = await value(sql`select current_setting('application_name') as v`);
	const sleep = sql`select pg_sleep(60)`;
	const timer = setInterval(() => sleep.cancel(), 300);
	await sleep.catch((error) => (seen.cancelled = error.code));
	clearInterval(timer);
	await value(sql`select 1 as v`);
	await sql.end();

	const pool = postgres({ ssl, max: 4 });
	const answers = await Promise.all([...Array(50).keys()].map((i) => pool`select ${i}::int as v`));
	if (answers.some((rows, i) => rows[0].v !== i)) throw new Error('wrong answers');
	await pool.end();
	console.log(JSON.stringify(seen));
}

main().catch((error) => {
	console.error(error);
	process.exit(1);
});
