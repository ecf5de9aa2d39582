// node-postgres.
'use strict';
const { Client, Pool } = require('pg');

const ssl = process.env.PGSSLMODE === 'require' ? { rejectUnauthorized: false } : false;
delete process.env.PGSSLMODE; // node-postgres would verify the certificate

async function main() {
	const seen = { driver: `node-postgres ${require('pg/package.json').version}` };
	const client = new Client({ ssl });
	await client.connect();
	const value = async (text, values) => (await client.query(text, values)).rows[0].v;
	seen.user = await value('select current_user::text as v');
	seen.parameters = (await client.query({ text: 'select $1::int + 1, upper($2::text)', values: [41, 'grün'], rowMode: 'array' })).rows[0];
	seen.prepared = [];
	for (const n of [1, 2, 3])
		seen.prepared.push((await client.query({ name: 'same', text: 'select $1::int as v', values: [n] })).rows[0].v);
	await client.query('select 1/$1::int', [0]).catch((error) => (seen.error = error.code));
	await client.query('create table t (a int)');
	await client.query('begin');
	await client.query('insert into t values ($1)', [1]);
	await client.query('rollback');
	seen.rolled_back = await value('select count(*)::int as v from t');
	seen.rows = (await client.query('select generate_series(1, 20000)')).rows.length;
	await client.query("set application_name = 'later'");
	seen.application = await value("select current_setting('application_name') as v");

	const heard = new Promise((resolve) => client.on('notification', (message) => resolve(message.payload)));
	await client.query('listen channel');
	await client.query("notify channel, 'hello'");
	if ((await heard) !== 'hello') throw new Error('not notified');

	const other = new Client({ ssl });
	await other.connect();
	const sleep = client.query('select pg_sleep(60)').catch((error) => (seen.cancelled = error.code));
	// its own way to cancel knows no TLS: the server does it
	const timer = setInterval(() => other.query('select pg_cancel_backend(pid) from pg_stat_activity where query like $1',
		['select pg_sleep(60)%']).catch(() => {}), 200);
	await sleep;
	clearInterval(timer);
	await other.end();
	await value('select 1 as v');
	await client.end();

	const pool = new Pool({ ssl, max: 4 });
	const answers = await Promise.all([...Array(20).keys()].map((i) => pool.query('select $1::int as v', [i])));
	if (answers.reduce((sum, answer) => sum + answer.rows[0].v, 0) !== 190) throw new Error('wrong answers');
	await pool.end();
	console.log(JSON.stringify(seen));
}

main().catch((error) => {
	console.error(error);
	process.exit(1);
});
