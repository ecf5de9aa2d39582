/* Days in seconds: the whole way from a source of credentials to a login token, with clock and HTTP faked.
 * Credentials rotate, sources are away for minutes, machines sleep; a database judges every token as RDS
 * does, by the key's life and the time it was signed at. Not one login may be refused that valid credentials
 * could have made. */
#include "config.h"
#include "two.h"
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include "aws/cache.h"
#include "aws/date.h"
#include "aws/desk.h"
#include "aws/source_token.h"
#include "base/buf.h"
#include "http/http_client.h"

#define HOUR (3600 * SEC)
#define MIN  (60 * SEC)
#define DAY  (24 * HOUR)

struct world;

/* Answers a request at a moment of the world, or stays silent until its time is over. */
typedef bool (*world_answer)(struct world *w, const char *method, const char *url, const char *body,
			     struct buf *out, int *status);

struct login {
	struct world *w;
	struct secret_op *op;
	int64_t asked_us;
};

#define LOGINS_MAX 64

struct world {
	struct http_client http;
	struct two two;   /* its clock: this machine's */
	int64_t ahead_us; /* AWS's clock against it */
	struct log *log;
	struct skew skew;
	struct provider_deps deps;
	struct cache *cache;
	struct desk *desk;
	struct secret_source *source;
	world_answer answer;
	int64_t step_us;  /* between logins, outside storms */
	int64_t begin_us; /* when the world began, AWS's time */
	const struct outage {
		int64_t from_us, to_us; /* since then */
		int status;             /* 0: silence */
	} * outages;
	char file[64]; /* with the web identity token */
	struct login login[LOGINS_MAX];
	/* counted */
	unsigned asked, good, refused, requests, keys, lines;
	int64_t slowest_us;
	char last_refusal[640];
};

static int64_t aws_now(const struct world *w)
{
	return w->two.clock.wall_us + w->ahead_us;
}

/* ---- HTTP ---- */

struct world_op {
	struct http_op base;
	struct timer timer;
	char method[8], url[256], body[1024];
	bool https, silent;
	http_client_cb cb;
	void *arg;
};

static const struct outage *outage(const struct world *w)
{
	int64_t t = aws_now(w) - w->begin_us;

	for (const struct outage *o = w->outages; o && o->to_us; o++) {
		if (t >= o->from_us && t < o->to_us)
			return o;
	}
	return NULL;
}

static void world_reply(void *arg)
{
	struct world_op *op = arg;
	struct world *w = (struct world *)op->base.client;
	struct http_reply r = {.why = "", .verified = op->https};
	char date[64];
	struct buf body;
	time_t sec = (time_t)(aws_now(w) / SEC);
	struct tm tm;

	buf_init(&body, 4096);
	gmtime_r(&sec, &tm);
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	r.header[HTTP_REPLY_DATE] = slice_str(date);
	if (op->silent) {
		r.fault = HTTP_FAULT_TIMEOUT;
		r.why = "silence";
	} else if (outage(w)) {
		r.status = outage(w)->status ? outage(w)->status : 503;
	} else {
		r.status = 200;
		w->answer(w, op->method, op->url, op->body, &body, &r.status);
		r.body = buf_slice(&body);
	}
	op->cb(op->arg, &r);
	buf_free(&body);
	free(op);
}

static struct http_op *world_start(struct http_client *c, const struct http_call *call, http_client_cb cb,
				   void *arg)
{
	struct world *w = (struct world *)c;
	struct world_op *op = mem_zalloc(sizeof(*op));

	w->requests++;
	op->base.client = c;
	snprintf(op->method, sizeof(op->method), "%s", call->method);
	snprintf(op->url, sizeof(op->url), "%s", call->url);
	snprintf(op->body, sizeof(op->body), "%.*s", SLICE_FMT(call->body));
	op->https = strncmp(call->url, "https:", 6) == 0;
	op->silent = outage(w) && outage(w)->status == 0;
	op->cb = cb;
	op->arg = arg;
	timer_init(&op->timer, w->two.control, world_reply, op);
	timer_set(&op->timer, op->silent ? call->total_us : (uint64_t)SEC / 20);
	return &op->base;
}

static void world_cancel(struct http_op *base)
{
	struct world_op *op = (struct world_op *)base;

	timer_clear(&op->timer);
	free(op);
}

/* ---- keys: "AKn" was issued at n * period, and lives for life ---- */

static int64_t key_expires(const char *key_id, int64_t begin_us, int64_t period_us, int64_t life_us)
{
	long n;

	assert_int_equal(sscanf(key_id, "AK%ld", &n), 1);
	return begin_us + n * period_us + life_us;
}

static void key_json(struct buf *out, const char *format, long n, int64_t expires_us)
{
	char when[DATE_RFC3339_SIZE];

	date_format_rfc3339(expires_us, when);
	buf_printf(out, format, n, when);
}

#define IMDS_PERIOD (5 * HOUR)
#define IMDS_LIFE   (6 * HOUR)

static bool imds_answer(struct world *w, const char *method, const char *url, const char *body,
			struct buf *out, int *status)
{
	long n = (long)((aws_now(w) - w->begin_us) / IMDS_PERIOD);

	(void)body;
	(void)status;
	if (strcmp(method, "PUT") == 0)
		buf_add_str(out, "token");
	else if (strstr(url, "/role"))
		key_json(out,
			 "{\"Code\":\"Success\",\"AccessKeyId\":\"AK%ld\",\"SecretAccessKey\":\"s\","
			 "\"Token\":\"t\","
			 "\"Expiration\":\"%s\"}",
			 n, key_expires("AK0", w->begin_us, IMDS_PERIOD, IMDS_LIFE) + n * IMDS_PERIOD);
	else
		buf_add_str(out, "role");
	return true;
}

/* STS issues a key of an hour whenever it is asked, and believes a token of this hour or the last. */
#define STS_PERIOD SEC
#define STS_LIFE   HOUR

static bool sts_answer(struct world *w, const char *method, const char *url, const char *body,
		       struct buf *out, int *status)
{
	int64_t t = aws_now(w) - w->begin_us;
	const char *token = strstr(body, "WebIdentityToken=");
	long n = (long)(t / SEC), hour = -1;

	(void)method;
	(void)url;
	assert_non_null(token);
	sscanf(token, "WebIdentityToken=hour%ld", &hour);
	if (t / HOUR - hour > 1) {
		*status = 400;
		buf_add_str(out, "{\"Error\":{\"Code\":\"ExpiredTokenException\",\"Message\":\"old\"}}");
		return true;
	}
	key_json(out,
		 "{\"AssumeRoleWithWebIdentityResponse\":{\"AssumeRoleWithWebIdentityResult\":{"
		 "\"Credentials\":{"
		 "\"AccessKeyId\":\"AK%ld\",\"SecretAccessKey\":\"s\",\"SessionToken\":\"t\",\"Expiration\":"
		 "\"%s\"}}}}",
		 n, w->begin_us + n * STS_PERIOD + STS_LIFE);
	return true;
}

/* ---- logins ---- */

/* AWS goes on accepting keys whose end fell into an outage of the service that renews them. */
static int64_t extended(const struct world *w, int64_t expires_us)
{
	for (const struct outage *o = w->outages; o && o->to_us; o++) {
		if (expires_us >= w->begin_us + o->from_us && expires_us <= w->begin_us + o->to_us)
			return w->begin_us + o->to_us + 30 * MIN;
	}
	return expires_us;
}

/* What RDS does with a token: the key lives, and it was signed within five minutes of its own time. */
static bool accepted(const struct world *w, const char *token)
{
	const char *credential = strstr(token, "X-Amz-Credential="), *date = strstr(token, "X-Amz-Date=");
	char now[DATE_AMZ_SIZE], early[DATE_AMZ_SIZE], late[DATE_AMZ_SIZE];
	bool sts = w->answer == sts_answer;
	int64_t expires_us;

	assert_true(credential && date);
	date_format_amz(aws_now(w), now);
	date_format_amz(aws_now(w) - 5 * MIN, early);
	date_format_amz(aws_now(w) + 5 * MIN, late);
	date += strlen("X-Amz-Date=");
	credential += strlen("X-Amz-Credential=");
	expires_us = key_expires(credential, w->begin_us, sts ? STS_PERIOD : IMDS_PERIOD,
				 sts ? STS_LIFE : IMDS_LIFE);
	if (!sts)
		expires_us = extended(w, expires_us);
	return aws_now(w) < expires_us && strncmp(date, early, DATE_AMZ_SIZE - 1) > 0 &&
	       strncmp(date, late, DATE_AMZ_SIZE - 1) < 0;
}

static void judged(void *arg, const struct secret_answer *a, const struct err *e)
{
	struct login *l = arg;
	struct world *w = l->w;
	char *token = a ? slice_dup(a->secret) : NULL;
	int64_t took = aws_now(w) - l->asked_us;

	l->op = NULL;
	if (token && accepted(w, token)) {
		w->good++;
	} else {
		w->refused++;
		snprintf(w->last_refusal, sizeof(w->last_refusal), "%lld s after the beginning: %.500s",
			 (long long)((aws_now(w) - w->begin_us) / SEC), e ? e->msg : token);
	}
	if (took > w->slowest_us)
		w->slowest_us = took;
	free(token);
}

static void log_in(struct world *w)
{
	static const struct secret_request rq = {"mydb.c9akciq32rgw.us-east-1.rds.amazonaws.com", 5432,
						 "app_user"};

	for (int i = 0; i < LOGINS_MAX; i++) {
		struct login *l = &w->login[i];

		if (l->op)
			continue;
		*l = (struct login){.w = w, .asked_us = aws_now(w)};
		w->asked++;
		l->op = w->source->ops->start(w->source, &rq, judged, l);
		return;
	}
	fail_msg("logins pile up");
}

static bool is_waited(const struct world *w)
{
	for (int i = 0; i < LOGINS_MAX; i++)
		if (w->login[i].op)
			return true;
	return false;
}

/* ---- time ---- */

static void count_line(void *arg, const char *line, size_t n)
{
	(void)line;
	(void)n;
	((struct world *)arg)->lines++;
}

static void pass(struct world *w, int64_t us)
{
	w->two.clock.mono_us += (uint64_t)us;
	w->two.clock.wall_us += us;
	for (int i = 0; i < 3; i++) {
		loop_turn(w->two.worker, 0);
		loop_turn(w->two.control, 0);
	}
}

/* While somebody waits, in seconds: a jump would count as time that was waited. */
static void pass_waiting(struct world *w, int64_t us)
{
	while (us > SEC && is_waited(w)) {
		pass(w, SEC);
		us -= SEC;
	}
	pass(w, us);
}

/* The kubelet: a new token every hour. */
static void rotate_token(struct world *w)
{
	FILE *f = fopen(w->file, "w");

	assert_non_null(f);
	fprintf(f, "hour%ld\n", (long)((aws_now(w) - w->begin_us) / HOUR));
	assert_int_equal(fclose(f), 0);
}

/* A login every ten seconds; in each hour's last three minutes and after each outage a storm: ten a second.
 */
static void live(struct world *w, int64_t span_us)
{
	int64_t end = aws_now(w) + span_us, last_hour = -1;

	while (aws_now(w) < end) {
		int64_t t = aws_now(w) - w->begin_us;
		bool storm = t % HOUR > 58 * MIN;

		if (t / HOUR != last_hour) {
			last_hour = t / HOUR;
			rotate_token(w);
		}
		for (int i = 0; i < (storm ? 5 : 1); i++)
			log_in(w);
		pass_waiting(w, storm ? SEC : w->step_us);
	}
	pass_waiting(w, 31 * SEC);
}

static void begin(struct world *w, struct provider *(*new)(const struct provider_deps *),
		  const char *const *env, world_answer answer, const struct outage *outages)
{
	static const struct http_client_ops ops = {world_start, world_cancel, NULL};
	struct source_token_opts o;

	w->step_us = 20 * SEC;
	w->answer = answer;
	w->outages = outages;
	w->begin_us = aws_now(w);
	w->http.ops = &ops;
	w->log = log_new(&w->two.clock.base, LOG_INFO, LOG_KEY_VALUE, count_line, w);
	two_start(&w->two, w->log);
	skew_init(&w->skew);
	w->deps = (struct provider_deps){.loop = w->two.control, .env = env, .http = &w->http, .skew = &w->skew};
	rotate_token(w);
	w->cache = cache_new(w->two.control, new (&w->deps), &w->skew);
	w->desk = desk_new(w->cache, w->two.control_mail);
	o = (struct source_token_opts){.source = {.desk = w->desk,
						  .skew = &w->skew,
						  .worker = w->two.worker,
						  .worker_mail = w->two.worker_mail},
				       .env = env};
	w->source = source_token_new(&o);
}

static int setup(void **state)
{
	struct world *w = mem_zalloc(sizeof(*w));
	int fd;

	w->two.clock = fake_clock_make();
	snprintf(w->file, sizeof(w->file), "/tmp/pgiam-test-XXXXXX");
	fd = mkstemp(w->file);
	assert_true(fd >= 0);
	close(fd);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < LOGINS_MAX; i++)
		assert_null(w->login[i].op);
	w->source->ops->free(w->source);
	desk_close(w->desk);
	cache_free(w->cache);
	two_end(&w->two);
	log_free(w->log);
	unlink(w->file);
	free(w);
	return 0;
}

static void all_good(struct world *w, unsigned at_least)
{
	if (w->refused)
		fail_msg("%u of %u logins refused, the last %s", w->refused, w->asked, w->last_refusal);
	assert_int_equal(w->good, w->asked);
	assert_true(w->good >= at_least);
}

/* Three days of an instance's role, six hours a key; the service is silent or failing for minutes, once
 * through the whole time in which keys are renewed, and once past a key's end. The last one ends half a
 * minute before a key: whatever the back-off, whoever wants to log in then has it asked again. */
static void instance(void **state)
{
	static const char *const env[] = {NULL};
	static const struct outage outages[] = {
		{2 * HOUR,             2 * HOUR + 5 * MIN,   0  },
		{5 * HOUR + 30 * MIN,  5 * HOUR + 58 * MIN,  0  },
		{14 * HOUR + 40 * MIN, 15 * HOUR + 55 * MIN, 503},
		{20 * HOUR + 5 * MIN,  21 * HOUR + 20 * MIN, 0  },
		{30 * HOUR,            30 * HOUR + 20 * MIN, 500},
		{50 * HOUR + 40 * MIN, 50 * HOUR + 59 * MIN + 30 * SEC, 0  },
		{0,		    0,                    0  },
	};
	struct world *w = *state;

	begin(w, provider_imds_new, env, imds_answer, outages);
	pass(w, SEC);
	pass(w, SEC);
	live(w, 3 * DAY);
	all_good(w, 30000);
	/* three requests a refresh, a handful of refreshes a key, attempts in outages every half minute or
	 * more */
	assert_true(w->requests < 1000);
	assert_true(w->lines < 600);
}

/* Three days of IRSA: an hour a key, a new web identity token each hour, STS away for minutes; and this
 * machine's clock is ten minutes slow, which only AWS's answers tell. */
static void pod(void **state)
{
	struct world *w = *state;
	char file[128];
	const char *env[] = {file, "AWS_ROLE_ARN=arn", "AWS_REGION=us-east-1", NULL};
	static const struct outage outages[] = {
		{3 * HOUR + 40 * MIN,  3 * HOUR + 50 * MIN,  0  },
		{10 * HOUR + 30 * MIN, 10 * HOUR + 42 * MIN, 503},
		{20 * HOUR,            20 * HOUR + 12 * MIN, 429},
		{40 * HOUR + 50 * MIN, 41 * HOUR,            0  },
		{0,		    0,                    0  },
	};

	snprintf(file, sizeof(file), "AWS_WEB_IDENTITY_TOKEN_FILE=%s", w->file);
	w->ahead_us = 10 * MIN;
	begin(w, provider_web_new, env, sts_answer, outages);
	pass(w, SEC);
	pass(w, SEC);
	live(w, 3 * DAY);
	all_good(w, 30000);
	assert_true(w->requests < 600);
	assert_true(w->lines < 600);
}

/* The source fails from soon after the keys were given until seconds before they end, and they end in the middle of a storm of
 * logins: the last is signed with the old ones, the next waits for the new. */
static void end_in_a_storm(void **state)
{
	struct world *w = *state;
	char file[128];
	const char *env[] = {file, "AWS_ROLE_ARN=arn", "AWS_REGION=us-east-1", NULL};
	static const struct outage outages[] = {
		{10 * MIN, 59 * MIN + 55 * SEC, 503},
		{0,        0,                   0  },
	};

	snprintf(file, sizeof(file), "AWS_WEB_IDENTITY_TOKEN_FILE=%s", w->file);
	begin(w, provider_web_new, env, sts_answer, outages);
	live(w, 57 * MIN);
	for (int sec = 0; sec < 240; sec++) {
		for (int i = 0; i < 10; i++)
			log_in(w);
		pass(w, 0); /* an answer does not take a second from loop to loop */
		pass(w, SEC);
	}
	assert_true(aws_now(w) - w->begin_us > STS_LIFE + MIN);
	pass_waiting(w, 31 * SEC);
	all_good(w, 2400);
	assert_true(w->requests < 200);
}

/* A laptop that sleeps: the wall clock jumps, timers do not. Whoever asks first after waking waits for a
 * fetch, and is served. */
static void sleeping(void **state)
{
	struct world *w = *state;
	char file[128];
	const char *env[] = {file, "AWS_ROLE_ARN=arn", "AWS_REGION=us-east-1", NULL};

	snprintf(file, sizeof(file), "AWS_WEB_IDENTITY_TOKEN_FILE=%s", w->file);
	begin(w, provider_web_new, env, sts_answer, NULL);
	pass(w, SEC);
	pass(w, SEC);
	for (int i = 0; i < 20; i++) {
		live(w, 7 * MIN);
		w->two.clock.wall_us += (i % 3 + 1) * 47 * MIN;
		rotate_token(w);
	}
	all_good(w, 400);
}

/* Nothing answers for ten minutes from the start: whoever asks is told, and within a minute of the source's
 * return the logins work, with nobody restarting anything. */
static void from_nothing(void **state)
{
	static const char *const env[] = {NULL};
	static const struct outage outages[] = {
		{0, 10 * MIN, 503},
                {0, 0,        0  }
        };
	struct world *w = *state;

	begin(w, provider_imds_new, env, imds_answer, outages);
	w->step_us = SEC;
	live(w, 9 * MIN);
	assert_int_equal(w->good, 0);
	assert_int_equal(w->refused, w->asked);
	assert_true(w->slowest_us <= 15 * SEC);
	pass(w, MIN);
	for (int i = 0; i < 7; i++)
		pass(w, 10 * SEC);
	w->asked = w->refused = 0;
	live(w, HOUR);
	all_good(w, 3000);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {T(instance), T(pod), T(end_in_a_storm), T(sleeping), T(from_nothing)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
