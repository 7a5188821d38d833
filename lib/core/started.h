/* SPDX-License-Identifier: Apache-2.0
 *
 * When a process was started: with its number this is one process, and no other.
 */
#ifndef LAZ_CORE_STARTED_H
#define LAZ_CORE_STARTED_H

#include "core/err.h"

/* In the kernel's ticks since the boot. `path`: /proc/PID/stat, from the folder on. false: it is
 * not known. */
LAZ_MUST_CHECK bool laz_started_read(int folder, const char *path, uint64_t *ret);

#endif
