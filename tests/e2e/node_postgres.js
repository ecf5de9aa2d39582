// What an application does with node-postgres; prints what it saw as JSON.
'use strict';
const { Client, Pool } = require('pg');

const ssl = process.env.E2E_TLS ? { rejectUnauthorized: false } : false;

async function main() {
	const seen = {};
	const client = new Client({ ssl });
	await client.connect();
	seen.user = (await client.query('select current_user::text as name')).rows[0].name;
	seen.prepared = [];
	for (const value of [1, 2, 3]) {
		const result = await client.query({ name: 'same', text: 'select $1::int as v', values: [value] });
		seen.prepared.push(result.rows[0].v);
	}
	try {
		await client.query('select 1/$1::int', [0]);
	} catch (error) {
		seen.error = error.code;
	}
	seen.rows = (await client.query('select generate_series(1, 20000)')).rows.length;
	const heard = new Promise((resolve) => client.on('notification', (message) => resolve(message.payload)));
	await client.query('listen channel');
	await client.query("notify channel, 'hello'");
	seen.notification = await heard;
	await client.end();

	const pool = new Pool({ ssl, max: 4 });
	const answers = await Promise.all([...Array(20).keys()].map((i) => pool.query('select $1::int as v', [i])));
	seen.pool = answers.reduce((sum, answer) => sum + answer.rows[0].v, 0);
	await pool.end();
	console.log(JSON.stringify(seen));
}

main().catch((error) => {
	console.error(error);
	process.exit(1);
});
