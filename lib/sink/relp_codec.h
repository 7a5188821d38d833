/* SPDX-License-Identifier: Apache-2.0
 *
 * RELP's frames: `TXNR SP COMMAND SP DATALEN [SP DATA] LF`. Written for a client: it decodes what a
 * server sends, byte by byte as it comes, and nothing that is not exactly of that form passes.
 * Pure.
 */
#ifndef LAZ_SINK_RELP_CODEC_H
#define LAZ_SINK_RELP_CODEC_H

#include "core/buf.h"

#define LAZ_RELP_TXNR_MAX    999999999U /* 1 follows; 0 is a hint that answers nothing */
#define LAZ_RELP_COMMAND_MAX 32
#define LAZ_RELP_DATA_MAX    4096U /* of a frame that comes to us: answers are a line or a few */
#define LAZ_RELP_TEXT_MAX    64
#define LAZ_RELP_HEAD_MAX    64 /* bytes that laz_relp_put_head writes at most */

/* What is expected next. */
enum laz_relp_state {
    LAZ_RELP_TXNR,
    LAZ_RELP_COMMAND,
    LAZ_RELP_LENGTH,
    LAZ_RELP_DATA,
    LAZ_RELP_TRAILER,
    LAZ_RELP_BROKEN, /* for good */
};

/* Invariant: n counts the bytes of the part that is being read. */
struct laz_relp_decoder {
    enum laz_relp_state state;
    uint64_t position; /* in all that was decoded */
    size_t n;
    uint32_t txnr;
    uint32_t length;
    char command[LAZ_RELP_COMMAND_MAX + 1];
    char data[LAZ_RELP_DATA_MAX + 1];
};

enum laz_relp_progress {
    LAZ_RELP_NEEDS_MORE,
    LAZ_RELP_HAS_FRAME, /* in txnr, command, data, length, until the next call */
    LAZ_RELP_IS_BROKEN, /* err says which byte, and why; nothing after it means anything */
};

void laz_relp_decoder_init(struct laz_relp_decoder *decoder);

/* Takes bytes up to the end of a frame. */
LAZ_MUST_CHECK enum laz_relp_progress laz_relp_decode(struct laz_relp_decoder *decoder,
        const void *bytes, size_t length, size_t *ret_used, struct laz_err *err);

/* What the data of an `rsp` says: `200 OK`. The text is what is behind the code on the first line,
 * as far as it is printable. */
struct laz_relp_answer {
    unsigned code;
    char text[LAZ_RELP_TEXT_MAX + 1];
};

LAZ_MUST_CHECK int laz_relp_read_answer(
        const char *data, size_t length, struct laz_relp_answer *ret, struct laz_err *err);

/* Whether the data of the answer to `open` has the command `syslog` among its offers. */
LAZ_MUST_CHECK bool laz_relp_offers_syslog(const char *data, size_t length);

uint32_t laz_relp_txnr_after(uint32_t txnr);

/* All in front of the data; a line feed has to follow the data. */
void laz_relp_put_head(struct laz_buf *buf, uint32_t txnr, const char *command, size_t length);

#endif
