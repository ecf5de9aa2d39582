/* Follows ProcessStartupPacket of PostgreSQL 18's backend_startup.c step by step, its messages included: drivers
 * match on them. One thing differs: there are at most STARTUP_PARAMS_MAX parameters. */
#include <stdlib.h>
#include "base/mem.h"
#include "base/wr.h"
#include "pg/msg.h"
#include "pg/startup.h"

#define PREFIX_PROTOCOL_OPTION "_pq_."

#define VERSION_MAJOR(v) ((v) >> 16)
#define VERSION_MINOR(v) ((v)&0xffff)

enum frame_status startup_length(struct slice in, size_t *total)
{
	struct rd r = rd_init(in);
	uint32_t length;

	if (in.n < 4)
		return FRAME_PARTIAL;
	length = rd_be32(&r);
	if (length < 8 || length > MSG_MAX_STARTUP_PACKET)
		return FRAME_BAD;
	*total = length;
	return FRAME_OK;
}

int startup_err_length(struct err *e)
{
	return err_set(e, ERR_CLIENT_PROTOCOL, "invalid length of startup packet");
}

int startup_err_version(uint32_t version, struct err *e)
{
	return err_set(e, ERR_CLIENT_UNSUPPORTED,
		       "unsupported frontend protocol %u.%u: server supports %u.0 to %u.%u",
		       VERSION_MAJOR(version), VERSION_MINOR(version), VERSION_MAJOR(STARTUP_3_0),
		       VERSION_MAJOR(STARTUP_CLIENT_MAX), VERSION_MINOR(STARTUP_CLIENT_MAX));
}

/* The last of several wins, as in PostgreSQL. */
static void replace(char **s, struct slice value)
{
	free(*s);
	*s = slice_dup(value);
}

/* These names are compared with case, as PostgreSQL does: "User" is an (unknown) setting. */
static void take_parameter(struct startup *s, struct slice name, struct slice value)
{
	if (slice_eq_str(name, "database"))
		replace(&s->database, value);
	else if (slice_eq_str(name, "user"))
		replace(&s->user, value);
	else if (slice_eq_str(name, "replication"))
		replace(&s->replication, value);
	else if (slice_starts(name, PREFIX_PROTOCOL_OPTION))
		params_add(&s->pq, name, value);
	else
		params_set(&s->params, name, value);
}

static int parse_message(struct rd *r, struct startup *s, struct err *e)
{
	if (VERSION_MAJOR(s->version) != VERSION_MAJOR(STARTUP_3_0))
		return startup_err_version(s->version, e);
	for (;;) {
		struct slice name, value;

		if (r->left == 1) { /* the terminator: PostgreSQL does not look at it */
			rd_u8(r);
			break;
		}
		name = rd_cstr(r);
		if (!rd_ok(r) || name.n == 0)
			break;
		value = rd_cstr(r);
		if (rd_ok(r))
			take_parameter(s, name, value);
		if (s->params.n + s->pq.n > STARTUP_PARAMS_MAX) {
			err_set(e, ERR_LIMIT, "more than %d startup parameters", STARTUP_PARAMS_MAX);
			err_hint(e, "\"options\" counts as one, however many settings it has.");
			return -1;
		}
	}
	if (!rd_end(r))
		return err_set(e, ERR_CLIENT_PROTOCOL,
			       "invalid startup packet layout: expected terminator as last byte");
	if (!s->user || !s->user[0])
		return err_set(e, ERR_CLIENT_USER, "no PostgreSQL user name specified in startup packet");
	if (!s->database || !s->database[0])
		replace(&s->database, slice_str(s->user));
	return 0;
}

static int parse_cancel(struct rd *r, struct startup *s, struct err *e)
{
	s->kind = STARTUP_CANCEL;
	s->cancel_pid = rd_be32(r);
	s->cancel_key = rd_rest(r);
	if (!rd_ok(r) || s->cancel_key.n < 4 || s->cancel_key.n > STARTUP_CANCEL_KEY_MAX)
		return startup_err_length(e);
	return 0;
}

int startup_parse(struct slice packet, struct startup *s, struct err *e)
{
	struct rd r = rd_init(packet);
	size_t total;

	*s = (struct startup){.kind = STARTUP_MESSAGE};
	params_init(&s->params);
	params_init(&s->pq);
	if (startup_length(packet, &total) != FRAME_OK || total != packet.n)
		return startup_err_length(e);
	rd_be32(&r);
	s->version = rd_be32(&r);
	switch (s->version) {
	case STARTUP_CODE_CANCEL: return parse_cancel(&r, s, e);
	case STARTUP_CODE_SSL: s->kind = STARTUP_SSL; break;
	case STARTUP_CODE_GSSENC: s->kind = STARTUP_GSSENC; break;
	default: return parse_message(&r, s, e);
	}
	return 0; /* PostgreSQL, too, passes over what else such a request holds */
}

void startup_free(struct startup *s)
{
	free(s->user);
	free(s->database);
	free(s->replication);
	params_free(&s->params);
	params_free(&s->pq);
	*s = (struct startup){.kind = STARTUP_MESSAGE};
}

void startup_write_ssl_request(struct buf *out)
{
	wr_be32(out, 8);
	wr_be32(out, STARTUP_CODE_SSL);
}

static void write_pair(struct buf *out, const char *name, const char *value)
{
	wr_cstr(out, name);
	wr_cstr(out, value);
}

/* A name that would end the list, or speak for the user and database that the caller chose. */
static bool reserved(const char *name)
{
	return !name[0] || strcmp(name, "user") == 0 || strcmp(name, "database") == 0;
}

void startup_write_message(struct buf *out, uint32_t version, const char *user, const char *database,
			   const struct params *params, const struct params *pq)
{
	const struct params *lists[] = {params, pq};
	size_t mark = wr_len_begin(out);

	wr_be32(out, version);
	write_pair(out, "user", user);
	write_pair(out, "database", database);
	for (size_t k = 0; k < 2; k++)
		for (size_t i = 0; lists[k] && i < lists[k]->n; i++)
			if (!reserved(lists[k]->v[i].name))
				write_pair(out, lists[k]->v[i].name, lists[k]->v[i].value);
	wr_u8(out, 0);
	wr_len_end(out, mark);
}

void startup_write_cancel(struct buf *out, uint32_t pid, struct slice key)
{
	size_t mark = wr_len_begin(out);

	wr_be32(out, STARTUP_CODE_CANCEL);
	wr_be32(out, pid);
	buf_add_slice(out, key);
	wr_len_end(out, mark);
}

bool startup_write_negotiate(struct buf *out, const struct startup *s)
{
	size_t mark;

	if (s->version <= STARTUP_CLIENT_MAX && s->pq.n == 0)
		return false;
	wr_u8(out, 'v');
	mark = wr_len_begin(out);
	wr_be32(out, startup_agreed(s->version));
	wr_be32(out, (uint32_t)s->pq.n);
	for (size_t i = 0; i < s->pq.n; i++)
		wr_cstr(out, s->pq.v[i].name);
	wr_len_end(out, mark);
	return true;
}
