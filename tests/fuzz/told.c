#include "told.h"

#include "pg/frame.h"
#include "pg/parse.h"

static bool has_field(struct slice body, char type)
{
	struct rd r = rd_init(body);

	for (uint8_t c; (c = rd_u8(&r)) != 0;) {
		rd_cstr(&r);
		if (c == (uint8_t)type)
			return rd_ok(&r);
	}
	return false;
}

static void on_error(struct told *d, struct slice body)
{
	struct parse_error pe;

	if (d->ready)
		return; /* may be a server's own */
	talk_must(parse_error(body, &pe) == 0);
	talk_must(slice_eq_str(pe.severity, "FATAL") && pe.sqlstate.n == 5 && pe.message.n > 0);
	talk_must(has_field(body, 'S') && has_field(body, 'V'));
	d->fatal = true;
}

static void on_auth(struct told *d, struct slice body)
{
	struct slice data;
	uint32_t request;

	talk_must(parse_auth(body, &request, &data) == 0 && !d->in);
	d->in = request == AUTH_OK;
	d->auth_n = body.n < sizeof(d->auth) ? body.n : sizeof(d->auth);
	memcpy(d->auth, body.p, d->auth_n);
	if (!d->in)
		talk_must(++d->requests <= 3);
}

/* NegotiateProtocolVersion: of major version 3, with as many names as it says. */
static void on_negotiate(struct told *d, struct slice body)
{
	struct rd r = rd_init(body);

	talk_must(!d->negotiated && !d->in && d->requests == 0);
	talk_must(rd_be32(&r) >> 16 == 3);
	for (uint32_t n = rd_be32(&r); n > 0 && rd_ok(&r); n--)
		rd_cstr(&r);
	talk_must(rd_end(&r));
	d->negotiated = true;
}

static void on_message(struct told *d, uint8_t type, struct slice body)
{
	talk_must(!d->fatal);
	if (d->remote && !d->in)
		talk_must(!talk_has(body, TOLD_MARK));
	switch (type) {
	case 'v': on_negotiate(d, body); break;
	case 'R': on_auth(d, body); break;
	case 'E': on_error(d, body); break;
	case 'N': break;
	case 'S': talk_must(d->in); break;
	case 'K':
		if (d->ready)
			break;
		talk_must(d->in && !d->key && body.n >= 8 && body.n <= sizeof(d->key_data));
		d->key = true;
		d->key_bytes = (uint32_t)body.n;
		memcpy(d->key_data, body.p, body.n);
		break;
	case 'Z':
		talk_must(d->in && (d->ready || (d->key && body.n == 1)));
		d->ready = true;
		break;
	default: talk_must(d->ready); break;
	}
}

/* Who wants protocol 2 is refused in its words. */
static void on_old_error(struct told *d, struct buf *b)
{
	struct parse_error pe;

	talk_must(!d->in && !d->fatal && !d->negotiated && parse_error_old(buf_slice(b), &pe) && b->p[b->n - 1] == '\0');
	d->fatal = true;
	buf_clear(b);
}

static void messages(struct told *d, struct buf *b)
{
	struct frame f;
	struct slice body;

	for (;;) {
		size_t n = b->n < d->rest ? b->n : (size_t)d->rest;

		buf_drop_front(b, n);
		d->rest -= n;
		if (d->rest > 0 || b->n == 0)
			return;
		if (d->ready) {
			if (frame_head(buf_slice(b), &f) == FRAME_PARTIAL)
				return;
			talk_must(frame_head(buf_slice(b), &f) == FRAME_OK);
			d->rest = FRAME_HEAD_BYTES + (uint64_t)f.body;
			continue;
		}
		switch (frame_whole(buf_slice(b), 1u << 20, &f, &body)) {
		case FRAME_PARTIAL: return;
		case FRAME_BAD: on_old_error(d, b); return;
		case FRAME_OK: break;
		}
		on_message(d, f.type, body);
		buf_drop_front(b, FRAME_HEAD_BYTES + (size_t)f.body);
	}
}

/* Answers of one byte come before anything else, and in TLS they are no. */
static void answers(struct told *d)
{
	struct talk *t = d->t;
	bool early = !d->in && !d->fatal && !d->negotiated && d->requests == 0;

	while (early && d->tls && t->inside.n > 0 && t->inside.p[0] == 'N') {
		talk_must(++d->no <= 2);
		buf_drop_front(&t->inside, 1);
	}
	while (early && !d->tls && t->got.n > 0) {
		unsigned char c = t->got.p[0];

		if (c == 'S')
			talk_must(d->yes++ == 0);
		else if (c == 'N')
			talk_must(++d->no <= 2);
		else if (c != 0x16 && c != 0x15)
			return;
		d->tls = c != 'N';
		if (c == 'S' || c == 'N')
			buf_drop_front(&t->got, 1);
	}
}

/* Behind a yes there is TLS and nothing else. */
static void only_records(const struct told *d)
{
	const struct buf *b = &d->t->got;

	if (!d->t->ssl && b->n > 0)
		talk_must(b->p[0] >= 20 && b->p[0] <= 23 && (b->n < 2 || b->p[1] == 3));
}

void told_look(struct told *d)
{
	if (d->t->fd < 0)
		return;
	if (d->tls)
		talk_feed(d->t);
	answers(d);
	talk_must(d->yes + d->no <= 2);
	if (d->tls) {
		only_records(d);
		messages(d, &d->t->inside);
	} else {
		messages(d, &d->t->got);
	}
}

bool told_settled(const struct told *d)
{
	return d->t->fd < 0 || d->t->eof || d->t->broken || d->ready;
}
