#include "flood.h"

#define FLOOD (8u << 20)

struct flow {
	struct stream *s;
	size_t sent, got;
	bool bad;
};

static unsigned char pattern(size_t i)
{
	return (unsigned char)(i * 31 + (i >> 8));
}

static void flow_in(struct flow *f)
{
	unsigned char buf[20000];
	ssize_t r;

	while ((r = stream_read(f->s, buf, sizeof buf)) > 0)
		for (ssize_t i = 0; i < r; i++)
			f->bad |= buf[i] != pattern(f->got++);
	f->bad |= r != STREAM_AGAIN;
}

static void flow_out(struct flow *f)
{
	unsigned char buf[50000];

	while (f->sent < FLOOD) {
		size_t n = FLOOD - f->sent < sizeof buf ? FLOOD - f->sent : sizeof buf;
		ssize_t r;

		for (size_t i = 0; i < n; i++)
			buf[i] = pattern(f->sent + i);
		r = stream_write(f->s, buf, n);
		if (r <= 0) {
			f->bad |= r == STREAM_FAIL;
			break;
		}
		f->sent += (size_t)r;
	}
	stream_want_write(f->s, f->sent < FLOOD);
}

static void on_flow(void *arg, unsigned what)
{
	struct flow *f = arg;

	if (what & STREAM_READABLE)
		flow_in(f);
	flow_out(f);
}

static void flow_start(struct flow *f)
{
	stream_set_owner(f->s, on_flow, f);
	stream_want_read(f->s, true);
	stream_want_write(f->s, true);
}

void flood(struct loop *l, struct stream *a, struct stream *b)
{
	struct flow x = {.s = a}, y = {.s = b};

	flow_start(&x);
	flow_start(&y);
	kit_until(l, x.bad || y.bad || (x.got >= FLOOD && y.got >= FLOOD));
	assert_false(x.bad || y.bad);
	assert_int_equal(x.got, FLOOD);
	assert_int_equal(y.got, FLOOD);
}
