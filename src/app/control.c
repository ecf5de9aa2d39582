/* The order of things is all there is to this file. Up: log, pid file, sockets (so that a port in use is told
 * before anything else is done), helper threads, AWS, workers, HTTP, signals; the workers' threads last.
 * Down: the reverse, after the workers have drained. Every step down takes what was never built. */
#include "app/control.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "admin/pages.h"
#include "app/certificates.h"
#include "app/control_log.h"
#include "app/pidfile.h"
#include "app/reload.h"
#include "app/self.h"
#include "app/sockets.h"
#include "app/stop.h"
#include "app/worker.h"
#include "aws/aws.h"
#include "base/harden.h"
#include "base/mem.h"
#include "config.h"
#include "http/http_server.h"
#include "io/log_writer.h"
#include "io/offload.h"
#include "io/process.h"
#include "proxy/auth_store.h"

#define HTTP_BACKLOG         64
#define HTTP_MAX_CONNECTIONS 64
#define HTTP_MAX_HEADER      8192
#define HTTP_IDLE_US         5000000
#define HTTP_LIFETIME_US     10000000
#define OFFLOAD_MAX_QUEUE    64

/* Descriptors without which serving makes no sense: those of the process and of each worker, and some for clients. */
#define NOFILE_PROCESS 32
#define NOFILE_WORKER  8

struct control {
	const struct control_opts *opts;
	const struct conf *conf;
	struct control_log log;
	struct pidfile *pidfile;
	struct sockets clients, http_sockets;
	struct resolver *resolver;
	struct offload *offload;
	struct loop *loop;
	struct mailbox *mail;
	struct aws *aws;
	struct admin_credentials *credentials; /* what the pages were told of each identity, ... */
	struct admin_secret *secrets;          /* ... and of each secret: so many */
	size_t secret_count;
	struct admin_source *sources;          /* ... and of which of them conf->secrets have need */
	size_t *secret_place;                  /* by conf->secrets: in c->secrets */
	struct balance *balance;
	struct worker **workers; /* conf->workers of them */
	struct mailbox **worker_mail;
	struct collect *collect;
	struct pages *pages;
	struct http_server *http;
	struct process_signals *signals;
	struct stop *stop;
	struct certificates *certificates;
	int64_t started_wall_us;
	uint64_t max_client_conn, nofile;
};

static void fill_causes(const struct aws_count *from, size_t n, struct admin_cause *out)
{
	_Static_assert(AWS_CAUSES + 1 <= ADMIN_CAUSES_MAX, "the pages have no room for a cause");
	for (size_t i = 0; i < n; i++)
		out[i] = (struct admin_cause){from[i].cause, from[i].n};
}

static void fill_credentials(struct control *c, size_t identity)
{
	struct admin_credentials *out = &c->credentials[identity];
	struct aws_stats aws = {0};

	aws_collect(c->aws, identity, &aws);
	*out = (struct admin_credentials){
		.identity = aws.identity,
		.provider = aws.provider,
		.valid = aws.valid,
		.expires_wall_us = aws.expires_wall_us,
		.left_us = aws.left_us,
		.refreshes = aws.refreshes,
		.why = aws.why,
	};
	fill_causes(aws.failures, AWS_CAUSES, out->failures);
}

static void fill_secrets(struct control *c)
{
	size_t n = c->aws ? aws_secret_count(c->aws) : 0;
	struct aws_secret_stats *aws = n > 0 ? mem_array(n, sizeof(*aws)) : NULL;

	if (n != c->secret_count)
		c->secrets = mem_resize(c->secrets, n * sizeof(*c->secrets));
	c->secret_count = n;
	if (n > 0)
		aws_collect_secrets(c->aws, aws);
	for (size_t i = 0; i < n; i++) {
		c->secrets[i] = (struct admin_secret){
			.identity = aws[i].identity,
			.name = aws[i].name,
			.valid = aws[i].valid,
			.read_wall_us = aws[i].read_wall_us,
			.age_us = aws[i].age_us,
			.expires_wall_us = aws[i].expires_wall_us,
			.reads = aws[i].reads,
			.lacking = aws[i].lacking,
			.why = aws[i].why,
		};
		fill_causes(aws[i].failures, AWS_CAUSES + 1, c->secrets[i].failures);
	}
	free(aws);
}

static bool reads_secret(const struct conf_secret *s)
{
	return conf_auth_signs(s->kind) && s->kind != TARGET_AUTH_IAM;
}

static void fill_sources(struct control *c)
{
	for (size_t i = 0; i < c->conf->secret_count; i++) {
		const struct conf_secret *s = &c->conf->secrets[i];

		c->sources[i] = (struct admin_source){
			.credentials = s->kind == TARGET_AUTH_IAM ? &c->credentials[s->identity] : NULL,
			.secret = reads_secret(s) ? &c->secrets[c->secret_place[i]] : NULL,
		};
	}
}

/* What the pages ask. */
static void on_info(void *arg, bool want_process, struct admin_info *out)
{
	struct control *c = arg;
	struct self_usage self = {0};
	struct log_writer_stats log = log_writer_stats(c->log.writer);
	struct auth_summary auth;
	size_t certificates;

	for (size_t i = 0; i < c->conf->identity_count; i++)
		fill_credentials(c, i);
	fill_secrets(c);
	fill_sources(c);
	if (want_process)
		self_usage(&self);
	auth_store_summary(c->conf->auth, &auth);
	*out = (struct admin_info){
		.version = PACKAGE_VERSION,
		.started_wall_us = c->started_wall_us,
		.draining = stop_is_asked(c->stop),
		.credentials = c->credentials,
		.credentials_count = c->conf->identity_count,
		.secrets = c->secrets,
		.secret_count = c->secret_count,
		.sources = c->sources,
		.skew_us = c->aws ? aws_skew_us(c->aws) : 0,
		.certificates = certificates_now(c->certificates, &certificates),
		.unusable = {.users = auth.users_failures, .rules = auth.rules_failures},
		.max_client_conn = c->max_client_conn,
		.log_dropped = log.dropped,
		.log_suppressed = log_suppressed(c->log.log),
		.log_failures = log.failures,
		.process = {.cpu_us = self.cpu_us,
				.resident_bytes = self.resident_bytes,
				.open_fds = self.open_fds,
				.max_fds = self.max_fds },
	};
	out->certificate_count = certificates;
	for (size_t i = 0; i < c->conf->tls_count; i++)
		out->unusable.tls += tls_live_failures(c->conf->tls[i].live);
}

/* Of each kind, sockets that were passed on stand in place of those the configuration names, as in PgBouncer. */
static int inherit_sockets(struct control *c, struct err *e)
{
	struct inherited *in = c->opts->inherited;
	char clients[512], http[256];

	if (in->not_ours)
		log_warning(c->log.log, "sockets passed on to another process are left alone", LS("LISTEN_PID", in->not_ours));
	if (inherited_sort(in, c->conf, &c->clients, &c->http_sockets, e) < 0)
		return -1;
	sockets_text(&c->clients, clients, sizeof clients);
	sockets_text(&c->http_sockets, http, sizeof http);
	if (in->n)
		log_info(c->log.log, "sockets passed on by the service manager", LS("clients", clients),
			 LS("http", http[0] ? http : NULL));
	if (c->clients.count && c->conf->listen_named)
		log_warning(c->log.log, "listen_addr, listen and unix_socket_dir are ignored: the service manager passed sockets on");
	if (c->http_sockets.count && c->conf->http_named)
		log_warning(c->log.log, "http_listen is ignored: the service manager passed a socket on");
	return 0;
}

static int open_sockets(struct control *c, struct err *e)
{
	const struct conf *conf = c->conf;
	struct listen_opts http = conf->listen_opts;

	http.backlog = HTTP_BACKLOG;
	if (inherit_sockets(c, e) < 0)
		return -1;
	if (c->clients.count == 0 &&
	    sockets_open(&c->clients, conf->listen, conf->listen_count, &conf->listen_opts, e) < 0)
		return -1;
	if (c->http_sockets.count == 0 && sockets_open(&c->http_sockets, conf->http, conf->http_count, &http, e) < 0)
		return err_prefix(e, "http_listen");
	if (c->clients.count)
		return 0;
	err_set(e, ERR_CONFIG, "there is no address to listen on");
	err_hint(e, "Set listen_addr or unix_socket_dir.");
	return -1;
}

static int make_loop(struct control *c, struct err *e)
{
	c->resolver = resolver_new(&c->conf->resolver, clock_system(), e);
	c->offload = c->resolver ? offload_new(OFFLOAD_MAX_QUEUE, e) : NULL;
	c->loop = c->offload ? loop_new(clock_system(), c->log.log, e) : NULL;
	c->mail = c->loop ? mailbox_new(c->loop, c, e) : NULL;
	if (c->mail == NULL)
		return -1;
	if (c->conf->identity_count == 0)
		return 0;
	c->credentials = mem_array(c->conf->identity_count, sizeof(*c->credentials));
	c->aws = aws_new(&(struct aws_opts){.control = c->loop,
					    .mail = c->mail,
					    .offload = c->offload,
					    .env = c->opts->env,
					    .identities = c->conf->identities,
					    .identity_count = c->conf->identity_count,
					    .only_provider = c->conf->credential_provider},
			 e);
	return c->aws ? 0 : -1;
}

static void on_notify(void *receiver, unsigned worker, enum worker_event what)
{
	struct control *c = receiver;

	stop_heard(c->stop, worker, what);
}

static int make_workers(struct control *c, struct err *e)
{
	c->balance = balance_new(c->conf->workers);
	struct worker_deps d = {
		.conf = c->opts->conf,
		.sink = log_writer_sink,
		.sink_arg = c->log.writer,
		.aws = c->aws,
		.resolver = c->resolver,
		.offload = c->offload,
		.sockets = &c->clients,
		.balance = c->balance,
		.nofile = c->nofile,
		.control = c->mail,
		.notify = on_notify,
	};

	c->workers = mem_array(c->conf->workers, sizeof(struct worker *));
	c->worker_mail = mem_array(c->conf->workers, sizeof(struct mailbox *));
	d.workers = c->worker_mail;
	for (unsigned i = 0; i < c->conf->workers; i++) {
		c->workers[i] = worker_new(&d, i, e);
		if (c->workers[i] == NULL)
			return -1;
		c->worker_mail[i] = mailbox_ref(worker_mail(c->workers[i]));
		c->max_client_conn += worker_opts(c->workers[i])->max_client_conn;
	}
	c->sources = mem_array(c->conf->secret_count, sizeof(*c->sources));
	c->secret_place = mem_array(c->conf->secret_count, sizeof(*c->secret_place));
	for (size_t i = 0; i < c->conf->secret_count; i++)
		if (reads_secret(&c->conf->secrets[i]))
			c->secret_place[i] = aws_secret_place(c->aws, worker_source(c->workers[0], i));
	return 0;
}

static int make_http(struct control *c, struct err *e)
{
	const struct http_server_opts o = {
		.host_names = c->conf->http_host_names,
		.max_connections = HTTP_MAX_CONNECTIONS,
		.max_header_bytes = HTTP_MAX_HEADER,
		.idle_us = HTTP_IDLE_US,
		.lifetime_us = HTTP_LIFETIME_US,
	};
	size_t count;
	const struct http_route *routes = pages_routes(&count);

	c->certificates = certificates_new(c->conf);
	c->collect = collect_new(c->loop, c->mail, c->worker_mail, c->conf->workers, worker_fill);
	c->pages = pages_new(&(struct pages_deps){.collector = c->collect, .info = on_info, .info_arg = c});
	c->http = http_server_new(c->loop, &o, routes, count, c->pages);
	if (c->http == NULL)
		return err_set(e, ERR_INTERNAL, "libevent makes no HTTP server");
	for (size_t i = 0; i < c->http_sockets.count; i++)
		if (http_server_listen(c->http, c->http_sockets.fd[i], e) < 0)
			return -1;
	return 0;
}

static void on_signal(void *arg, int signo)
{
	struct control *c = arg;

	if (signo == SIGHUP)
		reload_run(c->conf, c->log.log);
	else
		stop_signal(c->stop, signo);
}

static int make_stop(struct control *c, struct err *e)
{
	c->stop = stop_new(&(struct stop_deps){.loop = c->loop,
					       .workers = c->workers,
					       .count = c->conf->workers,
					       .sockets = &c->clients,
					       .shutdown_timeout_us = c->conf->shutdown_timeout_us});
	c->signals = process_signals_new(c->loop, on_signal, c, e);
	return c->signals ? 0 : -1;
}

/* One line that says what is served. */
static void say_started(struct control *c)
{
	const struct proxy_opts *o = worker_opts(c->workers[0]);
	char listen[512], http[256], databases[512] = "";
	size_t at = 0;

	sockets_text(&c->clients, listen, sizeof listen);
	sockets_text(&c->http_sockets, http, sizeof http);
	for (size_t i = 0; i < o->target_count && at < sizeof databases; i++)
		at += (size_t)snprintf(databases + at, sizeof databases - at, "%s%s", at ? " " : "",
				       o->targets[i]->name);
	log_info(c->log.log, "pgiam serves", LS("version", PACKAGE_VERSION), LI("pid", getpid()),
		 LS("listen", listen), LS("http", http[0] ? http : NULL), LU("databases", o->target_count),
		 LS("names", databases), LU("workers", c->conf->workers),
		 LU("max_client_conn", c->max_client_conn), LU("descriptors", c->nofile),
		 LS("file", c->conf->file));
	/* A client, its server, and what the process itself needs. */
	if (c->nofile && c->max_client_conn > c->nofile / 2)
		log_warning(c->log.log, "fewer descriptors than max_client_conn may need",
			    LU("descriptors", c->nofile), LU("max_client_conn", c->max_client_conn),
			    LS("hint", "Raise the limit of open files (ulimit -n, LimitNOFILE=) or lower "
				       "max_client_conn."));
}

/* Handshakes do from then on. */
static void warn_certificates(const struct control *c)
{
	for (size_t i = 0; i < c->conf->tls_count; i++)
		tls_ctx_unref(tls_live_get(c->conf->tls[i].live, loop_clock(c->loop), c->log.log));
}

static int check_nofile(const struct conf *conf, uint64_t nofile, struct err *e)
{
	uint64_t least = NOFILE_PROCESS + NOFILE_WORKER * (uint64_t)conf->workers;

	if (nofile == 0 || nofile >= least)
		return 0;
	err_set(e, ERR_CONFIG, "the limit of open files is %" PRIu64 ", and pgiam needs at least %" PRIu64, nofile,
		least);
	err_hint(e, "Raise it: ulimit -n, LimitNOFILE=. A client takes one descriptor, a server connection another.");
	return -1;
}

static int start(struct control *c, struct err *e)
{
	c->nofile = self_raise_nofile();
	if (check_nofile(c->conf, c->nofile, e) < 0)
		return -1;
	if (c->conf->pidfile && (c->pidfile = pidfile_new(c->conf->pidfile, e)) == NULL)
		return -1;
	if (open_sockets(c, e) < 0 || make_loop(c, e) < 0 || make_workers(c, e) < 0 || make_http(c, e) < 0 ||
	    make_stop(c, e) < 0)
		return -1;
	for (unsigned i = 0; i < c->conf->workers; i++)
		if (worker_start(c->workers[i], e) < 0)
			return -1;
	say_started(c);
	warn_certificates(c);
	return 0;
}

static void finish(struct control *c)
{
	for (unsigned i = 0; c->workers && i < c->conf->workers; i++)
		if (c->workers[i])
			worker_stop(c->workers[i], 0); /* for a start that failed half-way */
	for (unsigned i = 0; c->workers && i < c->conf->workers; i++)
		worker_free(c->workers[i]);
	balance_free(c->balance);
	process_signals_free(c->signals);
	stop_free(c->stop);
	pages_free(c->pages);
	http_server_free(c->http);
	certificates_free(c->certificates);
	if (c->mail)
		mailbox_close(c->mail); /* a letter that is still there may speak of what goes now */
	collect_free(c->collect);
	aws_free(c->aws);
	free(c->credentials);
	free(c->secrets);
	free(c->sources);
	free(c->secret_place);
	offload_free(c->offload);
	resolver_free(c->resolver);
	for (unsigned i = 0; c->worker_mail && i < c->conf->workers; i++)
		if (c->worker_mail[i])
			mailbox_unref(c->worker_mail[i]);
	if (c->mail)
		mailbox_unref(c->mail);
	loop_free(c->loop);
	free(c->worker_mail);
	free(c->workers);
	sockets_close(&c->http_sockets);
	sockets_close(&c->clients);
	pidfile_free(c->pidfile);
}

/* A thread that hangs may be using anything, and others still run: leave what others would stumble over in order, and go. */
static void abandon(struct control *c)
{
	sockets_abandon(&c->http_sockets);
	sockets_abandon(&c->clients);
	pidfile_free(c->pidfile);
	control_log_abandon(&c->log);
	_exit(EXIT_FAILURE);
}

int control_prepare(struct err *e)
{
	return harden_process(e) < 0 ? -1 : process_init(e);
}

/* To the log, and to whoever sits before the terminal if the log does not go there. */
static void say_failed(const struct control *c, const struct err *e)
{
	const char *hint = err_hint_text(e);

	log_error(c->log.log, "cannot start", LERR(e));
	if (c->log.log && c->conf->logfile == NULL)
		return;
	fprintf(stderr, "error: %s\n", e->msg);
	if (e->detail[0])
		fprintf(stderr, "       %s\n", e->detail);
	if (hint[0])
		fprintf(stderr, "       %s\n", hint);
}

int control_run(const struct control_opts *o, struct err *e)
{
	struct control c = {.opts = o, .conf = o->conf, .started_wall_us = clock_wall_us(clock_system())};
	int result = control_log_open(&c.log, c.conf, e);

	if (result == 0) {
		control_log_problems(&c.log, o->problems, o->problem_count);
		result = start(&c, e);
	}
	if (result == 0) {
		loop_run(c.loop);
		if (stop_is_abandoned(c.stop))
			abandon(&c);
	} else {
		say_failed(&c, e);
	}
	finish(&c);
	if (result == 0)
		log_info(c.log.log, "stopped");
	control_log_close(&c.log);
	return result;
}
