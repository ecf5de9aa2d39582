/* Lengths are compared with what is there and with limits, never added to: a length near 2^32 is then an
 * ordinary number (pitfalls 12 and 75). */
#include "pg/frame.h"

enum frame_status frame_whole(struct slice in, uint32_t max_body, struct frame *f, struct slice *body)
{
	enum frame_status st = frame_head(in, f);

	if (st != FRAME_OK)
		return st;
	if (f->body > max_body)
		return FRAME_BAD;
	if (f->body > in.n - FRAME_HEAD_BYTES)
		return FRAME_PARTIAL;
	*body = slice_of(in.p + FRAME_HEAD_BYTES, f->body);
	return FRAME_OK;
}
