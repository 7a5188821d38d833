/* SPDX-License-Identifier: Apache-2.0
 *
 * `lazaret-init probe`: the container's health command. It is no init: it asks the one that runs,
 * and ends. libc only.
 */
#ifndef LAZ_INIT_PID1_PROBE_H
#define LAZ_INIT_PID1_PROBE_H

#define LAZ_PROBE_TEXT_MAX 990 /* bytes of an answer behind its first one */

/* `words` begin behind "probe". Returns the exit code, 0 or 1. */
int laz_probe_health(char *const *words);

#endif
