/* SPDX-License-Identifier: Apache-2.0
 *
 * Whom a client of init's sockets believes, and by what: the kernel alone. What answers has to be
 * PID 1, or, where another program is that, root's child of it or of nobody, in root's folder; and
 * of the asker's own container. libc only: linked into PID 1's program.
 */
#ifndef LAZ_IPC_BELIEVE_H
#define LAZ_IPC_BELIEVE_H

#include <stdbool.h>

/* Of a connected Unix socket whose name is in that folder. A socket that listens has the
 * credentials of who made it listen. False also where the kernel does not say. */
bool laz_control_is_init(int fd, const char *folder);

#endif
