/* SPDX-License-Identifier: Apache-2.0
 *
 * What a hook does before anything else. It runs as root of the host, and what it was given,
 * environment, descriptors, directory, signals, may be the image's: a runtime may hand on the
 * environment of the container where an entry names none of its own.
 */
#ifndef LAZ_HOOKS_HYGIENE_H
#define LAZ_HOOKS_HYGIENE_H

#include "core/err.h"

#define LAZ_HOOK_DEADLINE_S                                                                        \
    8 /* for all of it: less than the entry's `timeout`, so that we say why */

/* In this order: no environment, "/", umask 077, no descriptor but 0 to 2, which are open, every
 * signal as it is by default and none blocked, no core, not readable by others; and the deadline,
 * at which the process says so and ends with 1. */
LAZ_MUST_CHECK int laz_hook_clean(struct laz_err *err);

#endif
