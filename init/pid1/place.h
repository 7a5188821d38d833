/* SPDX-License-Identifier: Apache-2.0
 *
 * Sockets in the folder of a running init. Makes them, and never accepts. libc only.
 */
#ifndef LAZ_INIT_PID1_PLACE_H
#define LAZ_INIT_PID1_PLACE_H

#include <sys/types.h>

#include "ipc/control.h"

/* A socket that listens, of this name and mode, in the first folder that can be had: ours, and
 * nobody else can put anything there. Owned; -1: there is none. */
int laz_place_listen(enum laz_control_socket which, int type, mode_t mode);

#endif
