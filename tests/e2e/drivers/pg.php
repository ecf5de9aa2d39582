<?php
// PHP: the pgsql extension, and PDO for a statement or two.
$seen = ['driver' => 'php ' . PHP_VERSION . ', libpq ' . pg_version(pg_connect(''))['client']];
$c = pg_connect('', PGSQL_CONNECT_FORCE_NEW);
$value = fn ($sql) => pg_fetch_result(pg_query($c, $sql), 0, 0);
$seen['user'] = $value('select current_user');
$row = pg_fetch_row(pg_query_params($c, 'select $1::int + 1, upper($2::text)', [41, 'grün']));
$seen['parameters'] = [(int)$row[0], $row[1]];
pg_prepare($c, 'same', 'select $1::int');
foreach ([1, 2, 3] as $n)
	$seen['prepared'][] = (int)pg_fetch_result(pg_execute($c, 'same', [$n]), 0, 0);
pg_send_query_params($c, 'select 1/$1::int', [0]);
$seen['error'] = pg_result_error_field(pg_get_result($c), PGSQL_DIAG_SQLSTATE);
pg_get_result($c);
pg_query($c, 'create table t (a int)');
$options = 'pgsql:sslmode=' . getenv('PGSSLMODE');
$pdo = new PDO($options, null, getenv('PGPASSWORD') ?: null, [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]);
$pdo->beginTransaction();
$pdo->prepare('insert into t values (?)')->execute([1]);
$pdo->rollBack();
$seen['rolled_back'] = (int)$value('select count(*) from t');
$seen['rows'] = pg_num_rows(pg_query($c, 'select generate_series(1, 20000)'));
pg_copy_from($c, 't', ["1\n", "2\n", "3\n"]);
$seen['copied'] = (int)$value('select count(*) from t');
pg_query($c, "set application_name = 'later'");
$seen['application'] = pg_parameter_status($c, 'application_name');
pg_send_query($c, 'select pg_sleep(60)');
usleep(500000);
pg_cancel_query($c); // waits for the end and drops the result
while ($r = pg_get_result($c))
	$seen['cancelled'] = pg_result_error_field($r, PGSQL_DIAG_SQLSTATE);
$seen['cancelled'] = $seen['cancelled'] ?? '57014';
$value('select 1');
pg_close($c);
echo json_encode($seen), "\n";
