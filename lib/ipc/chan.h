/* SPDX-License-Identifier: Apache-2.0
 *
 * A channel between init and one of its own processes: a pair of SOCK_SEQPACKET sockets, whole
 * messages, descriptors beside them. Never blocks. libc only: linked into PID 1.
 */
#ifndef LAZ_IPC_CHAN_H
#define LAZ_IPC_CHAN_H

#include "ipc/msg.h"

/* Both close-on-exec and non-blocking. LAZ_E_SYSTEM. */
LAZ_MUST_CHECK int laz_chan_pair(int ret[2], struct laz_err *err);

/* Send what laz_message_end closed. The descriptors stay the caller's. LAZ_E_SYSTEM: the peer has
 * gone, or has not read for so long that nothing more fits. */
LAZ_MUST_CHECK int laz_chan_send(
        int chan, const struct laz_buf *message, const int *fds, size_t n_fds, struct laz_err *err);

enum laz_chan_got {
    LAZ_CHAN_VIOLATION, /* err says what; descriptors that came with it are closed */
    LAZ_CHAN_MESSAGE,
    LAZ_CHAN_NOTHING, /* for now */
    LAZ_CHAN_CLOSED,  /* the peer has gone */
};

/* `memory` takes the bytes, and what does not fit is a violation; `ret` borrows from it. */
LAZ_MUST_CHECK enum laz_chan_got laz_chan_receive(int chan, struct laz_route route, uint8_t *memory,
        size_t size, struct laz_message *ret, struct laz_err *err);

#endif
