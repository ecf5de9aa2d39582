import os, subprocess, time
from test_drivers import run
from proxy import environment
import pytest
@pytest.mark.timeout(550)
def test_loop(rds, pgiam, workdir):
    run([rds.program("pgbench"), "-i", "-q"], pgiam)
    for i in range(400):
        d = os.path.join(workdir, "dump%d" % i)
        env = environment(dict(PGHOST="127.0.0.1", PGPORT=pgiam.port, PGUSER="app_user", PGDATABASE="app", PGSSLMODE="disable"))
        try:
            subprocess.run([rds.program("pg_dump"), "-Fd", "-j", "3", "-v", "-f", d], env=env, timeout=20, check=True, capture_output=True)
        except subprocess.TimeoutExpired as e:
            print(i, e.stderr.decode()[-1500:])
            for r in rds.admin("select pid, state, wait_event_type, wait_event, now()-query_start, left(query,100) from pg_stat_activity where usename='app_user'"): print(r)
            print(subprocess.run("ss -tnp | grep %d" % pgiam.port, shell=True, capture_output=True, text=True).stdout)
            print(subprocess.run("ss -tnp | grep %d" % rds.port, shell=True, capture_output=True, text=True).stdout)
            for k,v in pgiam.metrics().items():
                if v and ('cl_' in k or 'sv_' in k or 'clients' in k or 'bytes' in k or 'buffers' in k): print(k,v)
            raise
        subprocess.run(["rm", "-rf", d])
