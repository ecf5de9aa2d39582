// PostgreSQL's JDBC driver.
import java.io.StringReader;
import java.sql.*;
import java.util.Properties;
import org.postgresql.PGConnection;

public class Jdbc {
	static String value(Connection c, String sql) throws SQLException {
		try (Statement s = c.createStatement(); ResultSet r = s.executeQuery(sql)) {
			r.next();
			return r.getString(1);
		}
	}

	static String state(Connection c, String sql) throws SQLException {
		try (Statement s = c.createStatement()) {
			s.setQueryTimeout(sql.contains("sleep") ? 1 : 0); // a CancelRequest after a second
			s.execute(sql);
			return "";
		} catch (SQLException e) {
			return e.getSQLState();
		}
	}

	public static void main(String[] args) throws Exception {
		var env = System.getenv();
		var p = new Properties();
		p.setProperty("user", env.get("PGUSER"));
		p.setProperty("sslmode", env.get("PGSSLMODE"));
		if (env.containsKey("PGPASSWORD"))
			p.setProperty("password", env.get("PGPASSWORD"));
		String url = "jdbc:postgresql://" + env.get("PGHOST") + ":" + env.get("PGPORT") + "/" + env.get("PGDATABASE");
		try (Connection c = DriverManager.getConnection(url, p)) {
			String user = value(c, "select current_user"), parameters;
			try (PreparedStatement s = c.prepareStatement("select ?::int + 1, upper(?::text)")) {
				s.setInt(1, 41);
				s.setString(2, "gr\u00fcn");
				try (ResultSet r = s.executeQuery()) {
					r.next();
					parameters = r.getInt(1) + ", \"" + r.getString(2) + "\"";
				}
			}
			var prepared = new StringBuilder();
			try (PreparedStatement s = c.prepareStatement("select ?::int")) {
				s.unwrap(org.postgresql.PGStatement.class).setPrepareThreshold(1);
				for (int i = 1; i <= 3; i++) {
					s.setInt(1, i);
					try (ResultSet r = s.executeQuery()) {
						r.next();
						prepared.append(i > 1 ? ", " : "").append(r.getInt(1));
					}
				}
			}
			String error = state(c, "select 1/0");
			c.createStatement().execute("create table t (a int)");
			c.setAutoCommit(false);
			try (PreparedStatement s = c.prepareStatement("insert into t values (?)")) {
				for (int i = 0; i < 500; i++) {
					s.setInt(1, i);
					s.addBatch();
				}
				s.executeBatch();
			}
			c.rollback();
			String left = value(c, "select count(*) from t");
			int rows = 0;
			try (Statement s = c.createStatement()) { // in a transaction: through a portal
				s.setFetchSize(100);
				try (ResultSet r = s.executeQuery("select generate_series(1, 20000)")) {
					while (r.next())
						rows++;
				}
			}
			c.commit();
			c.setAutoCommit(true);
			c.unwrap(PGConnection.class).getCopyAPI().copyIn("copy t from stdin", new StringReader("1\n2\n3\n"));
			String copied = value(c, "select count(*) from t");
			c.setClientInfo("ApplicationName", "later");
			String application = value(c, "select current_setting('application_name')");
			String cancelled = state(c, "select pg_sleep(60)");
			value(c, "select 1");
			System.out.printf("{\"driver\": \"%s %s\", \"user\": \"%s\", \"parameters\": [%s], \"prepared\": [%s], \"error\": \"%s\", "
				+ "\"rolled_back\": %s, \"rows\": %d, \"copied\": %s, \"cancelled\": \"%s\", \"application\": \"%s\"}%n",
				c.getMetaData().getDriverName(), c.getMetaData().getDriverVersion(), user, parameters, prepared, error, left, rows,
				copied, cancelled, application);
		}
	}
}
