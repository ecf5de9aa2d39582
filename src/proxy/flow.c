/* Write first, ask for readiness only when a peer takes no more, and never copy but to make room: every byte of every query passes
 * here. */
#include "proxy/flow.h"

#include <string.h>
#include "pg/frame.h"

void flow_release(struct iobuf_pool *bufs, struct flow *f)
{
	iobuf_put(bufs, f->b);
	f->b = NULL;
}

int flow_flush(struct iobuf_pool *bufs, struct flow *f, struct stream *to)
{
	struct iobuf *b = f->b;

	while (b && b->sent < b->parsed) {
		ssize_t n = stream_write(to, b->data + b->sent, b->parsed - b->sent);
		if (n < 0) {
			if (n != STREAM_AGAIN)
				return -1;
			if (!f->blocked) {
				f->blocked = true;
				stream_want_write(to, true);
			}
			return 1;
		}
		b->sent += (size_t)n;
	}
	if (f->blocked) {
		f->blocked = false;
		stream_want_write(to, false);
	}
	if (b && b->sent == b->filled)
		flow_release(bufs, f);
	return 0;
}

int flow_fill(struct iobuf_pool *bufs, struct flow *f, struct stream *from)
{
	struct iobuf *b = f->b;
	ssize_t n = STREAM_AGAIN;

	if (!b)
		b = f->b = iobuf_get(bufs);
	else if (b->filled == IOBUF_BYTES)
		iobuf_compact(b);
	if (b->filled < IOBUF_BYTES)
		n = stream_read(from, b->data + b->filled, IOBUF_BYTES - b->filled);
	if (n > 0) {
		b->filled += (size_t)n;
		f->bytes += (uint64_t)n;
		return 1;
	}
	if (b->filled == b->sent)
		flow_release(bufs, f);
	return n == STREAM_AGAIN ? 0 : -1;
}

void flow_drop(struct flow *f, size_t n)
{
	struct iobuf *b = f->b;

	if (b->sent == b->parsed) {
		b->parsed += n;
		b->sent = b->parsed;
		return;
	}
	memmove(b->data + b->parsed, b->data + b->parsed + n, b->filled - b->parsed - n);
	b->filled -= n;
}

void flow_take_alike(struct flow *f, uint8_t type, uint32_t max_body)
{
	const struct iobuf *b = f->b;
	size_t at = b->parsed;
	struct frame next;

	if (f->remain > 0 || f->drop)
		return;
	while (frame_head(slice_of(b->data + at, b->filled - at), &next) == FRAME_OK && next.type == type &&
	       next.body <= max_body && next.body <= b->filled - at - FRAME_HEAD_BYTES)
		at += FRAME_HEAD_BYTES + next.body;
	f->b->parsed = at;
}
