/* SPDX-License-Identifier: Apache-2.0
 *
 * A lock that programs on the host take from each other, for moments: who has it may be stopped, or
 * hang in a call to the disk, and nobody waits for that longer than LAZ_LOCK_WAIT_S.
 */
#ifndef LAZ_CORE_LOCK_H
#define LAZ_CORE_LOCK_H

#include "core/err.h"

#define LAZ_LOCK_WAIT_S 5 /* less than a hook has in all, so that it is said who is to blame */

/* flock(2), exclusive, until the file is closed. LAZ_E_BUSY, with `name`; LAZ_E_SYSTEM. */
LAZ_MUST_CHECK int laz_lock_take(int fd, const char *name, struct laz_err *err);

#endif
