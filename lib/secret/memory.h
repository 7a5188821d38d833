/* SPDX-License-Identifier: Apache-2.0
 *
 * Where values are while they are being fetched: pages of their own, in no dump, locked where the
 * kernel lets us, and wiped before they are given back. What libraries allocate is wiped, too.
 */
#ifndef LAZ_SECRET_MEMORY_H
#define LAZ_SECRET_MEMORY_H

#include "core/buf.h"

/* A buffer of a fixed size with nothing mapped right before and behind it. Free with
 * laz_secret_buf_done. LAZ_E_MEMORY. */
LAZ_MUST_CHECK int laz_secret_buf_init(struct laz_buf *ret, size_t size, struct laz_err *err);
/* Wiped, and gone; nothing for one that was never made (all zero). */
void laz_secret_buf_done(struct laz_buf *buf);
/* Its content alone is wiped. */
void laz_secret_buf_clear(struct laz_buf *buf);

/* From now on OpenSSL and libevent wipe what they free, and what they grow out of. Before the first
 * call to either. false: OpenSSL has allocated already. */
LAZ_MUST_CHECK bool laz_secret_wipe_libraries(void);

/* From now on the numbers that make a private key are in locked pages of OpenSSL's own, in no dump
 * and with guards around: of a few keys, and of as many handshakes at a time, each of which makes
 * one. Before the filter of a role: it takes mprotect. false: there is no memory. A small limit on
 * locked memory leaves them unlocked. */
LAZ_MUST_CHECK bool laz_secret_lock_keys(size_t handshakes);

#endif
