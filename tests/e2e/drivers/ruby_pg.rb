# ruby-pg.
require 'json'
require 'pg'

seen = { driver: "ruby-pg #{PG::VERSION}, libpq #{PG.library_version}" }
conn = PG.connect
seen[:user] = conn.exec('select current_user').getvalue(0, 0)
seen[:parameters] = conn.exec_params('select $1::int + 1, upper($2::text)', [41, 'grün']).values[0].then { |a, b| [a.to_i, b] }
conn.prepare('same', 'select $1::int')
seen[:prepared] = [1, 2, 3].map { |n| conn.exec_prepared('same', [n]).getvalue(0, 0).to_i }
begin
  conn.exec_params('select 1/$1::int', [0])
rescue PG::Error => e
  seen[:error] = e.result.error_field(PG::PG_DIAG_SQLSTATE)
end
conn.exec('create table t (a int)')
begin
  conn.transaction do |c|
    c.exec('insert into t values (1)')
    raise 'on purpose'
  end
rescue RuntimeError
  seen[:rolled_back] = conn.exec('select count(*) from t').getvalue(0, 0).to_i
end
conn.send_query('select generate_series(1, 20000)')
conn.set_single_row_mode
seen[:rows] = 0
conn.get_result.stream_each { seen[:rows] += 1 }
conn.get_result
conn.copy_data('copy t from stdin') { 1.upto(3) { |n| conn.put_copy_data("#{n}\n") } }
seen[:copied] = conn.exec('select count(*) from t').getvalue(0, 0).to_i
conn.exec("set application_name = 'later'")
seen[:application] = conn.parameter_status('application_name')
conn.send_query('select pg_sleep(60)')
conn.cancel until conn.block(0.3)
seen[:cancelled] = conn.get_result.error_field(PG::PG_DIAG_SQLSTATE)
conn.get_result
conn.exec('select 1')
conn.close
puts JSON.generate(seen)
