# DBD::Pg.
use strict;
use warnings;
use utf8;
use DBI;
use DBD::Pg qw(:async);
use JSON::PP;

my $dbh = DBI->connect('dbi:Pg:', undef, undef, { RaiseError => 1, PrintError => 0 });
my %seen = (driver => "DBD::Pg $DBD::Pg::VERSION");
sub value { return ($dbh->selectrow_array(@_))[0] }
$seen{user} = value('select current_user');
my @row = $dbh->selectrow_array('select ?::int + 1, upper(?::text)', undef, 41, 'grün');
$seen{parameters} = [$row[0] + 0, $row[1]];
my $sth = $dbh->prepare('select ?::int');
for my $n (1 .. 3) {
	$sth->execute($n);
	push @{ $seen{prepared} }, $sth->fetchrow_arrayref->[0] + 0;
}
eval { $dbh->selectrow_array('select 1/?::int', undef, 0) };
$seen{error} = $dbh->state;
$dbh->do('create table t (a int)');
$dbh->begin_work;
$dbh->do('insert into t values (?)', undef, 1);
$dbh->rollback;
$seen{rolled_back} = value('select count(*) from t') + 0;
$seen{rows} = scalar @{ $dbh->selectall_arrayref('select generate_series(1, 20000)') };
$dbh->do('copy t from stdin');
$dbh->pg_putcopydata("$_\n") for 1 .. 3;
$dbh->pg_putcopyend;
$seen{copied} = value('select count(*) from t') + 0;
$dbh->do("set application_name = 'later'");
$seen{application} = value(q{select current_setting('application_name')});
$dbh->do('select pg_sleep(60)', { pg_async => PG_ASYNC });
select(undef, undef, undef, 0.5);
$dbh->pg_cancel;    # waits for the answer, and takes 57014 for success
$seen{cancelled} = $dbh->state || '57014';
value('select 1');
$dbh->disconnect;
print JSON::PP->new->utf8->encode(\%seen), "\n";
