/* Runs a CPU-bound piece of work (PBKDF2) on a helper thread and comes back to the loop. One thread,
 * a bounded queue. */
#ifndef PGIAM_IO_OFFLOAD_H
#define PGIAM_IO_OFFLOAD_H

#include "io/mailbox.h"

struct offload;
struct offload *offload_new(unsigned max_queue, struct err *e);

/* Every operation has ended or was cancelled; waits for the one the helper is at. NULL is fine. */
void offload_free(struct offload *o);

struct offload_op;

/* work runs on the helper and may touch only `data`; done runs on the loop behind mb. data is borrowed until done has
 * run; after offload_cancel it is freed by drop(data) once the helper is through with it. NULL if
 * the queue is full. Cancel before closing the mailbox. */
struct offload_op *offload_start(struct offload *o, struct mailbox *mb, void (*work)(void *data),
                                 void (*done)(void *data), void (*drop)(void *data), void *data);
void offload_cancel(struct offload_op *op);

#endif
