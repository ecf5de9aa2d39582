/* pg/startup and pg/startup_options: the first bytes of a client. What parses is written and parsed again to
 * the same. */
#include <stdint.h>
#include <stdlib.h>
#include "base/mem.h"
#include "base/wr.h"
#include "pg/msg.h"
#include "pg/startup_options.h"
#include "pg/parse.h"
#include "pg/startup.h"

#define MAX_BYTES (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static bool same(const struct params *a, const struct params *b)
{
	struct buf x, y;
	bool equal;

	buf_init(&x, MAX_BYTES);
	buf_init(&y, MAX_BYTES);
	must(params_canonical(a, &x) == 0);
	must(params_canonical(b, &y) == 0);
	equal = slice_eq(buf_slice(&x), buf_slice(&y));
	buf_free(&x);
	buf_free(&y);
	return equal;
}

static void options(const struct startup *s)
{
	const char *text = params_get(&s->params, "options");
	struct params found;

	params_init(&found);
	if (text && startup_options_parse(text, &found, NULL) == 0) {
		must(!params_get(&found, ""));
		must(!params_get(&found, "options"));
		for (size_t i = 0; i < found.n; i++)
			must(strcmp(found.v[i].name, "user") != 0 && !strpbrk(found.v[i].name, " =-'\""));
	} else {
		must(found.n == 0);
	}
	params_free(&found);
}

static void negotiate(const struct startup *s)
{
	struct frame f = {0};
	struct slice body;
	struct buf out;
	struct err e;
	uint32_t version;

	buf_init(&out, MAX_BYTES);
	if (startup_write_negotiate(&out, s)) {
		must(frame_whole(buf_slice(&out), MAX_BYTES, &f, &body) == FRAME_OK && f.type == 'v');
		must(body.n == out.n - FRAME_HEAD_BYTES);
		/* a server of ours would be right; libpq takes 3.1 from nobody, and asks for no options */
		must((parse_negotiate(body, s->version, STARTUP_3_0, &version, &e) == 0) ==
		     (s->pq.n == 0 && s->version > STARTUP_CLIENT_MAX));
		must(version == startup_agreed(s->version) && version <= STARTUP_CLIENT_MAX);
	} else {
		must(out.n == 0 && s->pq.n == 0 && s->version <= STARTUP_CLIENT_MAX);
	}
	buf_free(&out);
}

static void message(const struct startup *s)
{
	struct startup again;
	struct buf out;
	size_t total = 0;

	must(s->user[0] && s->database[0]);
	options(s);
	negotiate(s);
	buf_init(&out, MAX_BYTES);
	startup_write_message(&out, s->version, s->user, s->database, &s->params, &s->pq);
	must(!out.full);
	/* a database that was left to default may carry it over the limit */
	if (startup_length(buf_slice(&out), &total) == FRAME_OK) {
		must(total == out.n && startup_parse(buf_slice(&out), &again, NULL) == 0);
		must(strcmp(s->user, again.user) == 0 && strcmp(s->database, again.database) == 0);
		must(s->version == again.version && !again.replication);
		must(same(&s->params, &again.params) && same(&s->pq, &again.pq));
		startup_free(&again);
	}
	buf_free(&out);
}

static void one_packet(struct slice packet)
{
	/* alone, so that reading over its end is seen */
	unsigned char *p = mem_alloc(packet.n);
	struct startup s;
	struct err e = {0};

	memcpy(p, packet.p, packet.n);
	if (startup_parse(slice_of(p, packet.n), &s, &e) != 0)
		must(e.code == ERR_CLIENT_PROTOCOL || e.code == ERR_CLIENT_UNSUPPORTED ||
		     e.code == ERR_CLIENT_USER || e.code == ERR_LIMIT);
	else if (s.kind == STARTUP_MESSAGE)
		message(&s);
	else if (s.kind == STARTUP_CANCEL)
		must(s.cancel_key.n >= 4 && s.cancel_key.n <= STARTUP_CANCEL_KEY_MAX);
	startup_free(&s);
	free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_of(data, size);
	size_t total = 0;
	struct buf b;

	if (startup_length(in, &total) == FRAME_OK) {
		must(total >= 8 && total <= MSG_MAX_STARTUP_PACKET);
		if (total <= size)
			one_packet(slice_of(data, total));
	}
	/* and with a length word that is right whatever the input says */
	if (size >= 4 && size <= MSG_MAX_STARTUP_PACKET) {
		buf_init(&b, MAX_BYTES);
		wr_be32(&b, (uint32_t)size);
		buf_add(&b, data + 4, size - 4);
		one_packet(buf_slice(&b));
		buf_free(&b);
	}
	return 0;
}
