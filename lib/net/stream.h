/* SPDX-License-Identifier: Apache-2.0
 *
 * A connection to write to and read from: dialled, and under TLS from its first byte where that is
 * asked for.
 */
#ifndef LAZ_NET_STREAM_H
#define LAZ_NET_STREAM_H

#include <event2/bufferevent.h>

#include "net/dial.h"
#include "net/tls.h"

/* From the event loop. After `ended`, start again. */
struct laz_stream_owner {
    void (*up)(void *context);
    void (*can_read)(void *context); /* reads all there is, or stops: nothing else limits it */
    void (*written)(void *context);  /* all, into the kernel */
    void (*ended)(void *context, const char *why);
    void *context;
};

struct laz_stream;

/* `tls` may be NULL; borrowed. The plan's `datagram` has to be false. */
LAZ_MUST_CHECK int laz_stream_new(struct event_base *base, const struct laz_dial_plan *plan,
        const struct laz_tls *tls, const struct laz_stream_owner *owner, struct laz_stream **ret,
        struct laz_err *err);
void laz_stream_free(struct laz_stream *stream);

void laz_stream_start(struct laz_stream *stream);
void laz_stream_stop(struct laz_stream *stream); /* at once; nobody is told */

/* In `ended`: because the peer is somebody whom we do not trust? */
bool laz_stream_is_untrusted(const struct laz_stream *stream);

/* While it is up. false: no memory. */
LAZ_MUST_CHECK bool laz_stream_write(struct laz_stream *stream, const void *bytes, size_t length);
size_t laz_stream_unwritten(const struct laz_stream *stream); /* bytes */
size_t laz_stream_read(struct laz_stream *stream, void *memory, size_t size);
/* Has more come than was read, here, within TLS or into the kernel? */
bool laz_stream_has_more(const struct laz_stream *stream);
/* To be stopped next. Says these last bytes, or without any that nothing follows, and waits so long
 * for the peer to close. The only thing here that waits: for a process that is about to end, whose
 * peer would otherwise lose what it has not read yet. */
void laz_stream_take_leave(
        struct laz_stream *stream, const void *bytes, size_t length, uint32_t wait_ms);

#endif
