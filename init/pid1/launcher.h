/* SPDX-License-Identifier: Apache-2.0
 *
 * The process `launch`: forked from init before init filters itself, it starts init's helpers,
 * again and again, as init's own children, runs checks that are commands, and makes files of the
 * secrets that init hands to it; nothing else. Not confined beyond a handful of capabilities: what
 * it starts narrows itself further, and would inherit a filter.
 */
#ifndef LAZ_INIT_PID1_LAUNCHER_H
#define LAZ_INIT_PID1_LAUNCHER_H

#include <sys/types.h>

#include "ipc/chan.h"

struct laz_helpers_world;

/* Fork it. The world's argv is what ps shows, written over in the child; with a tunnel or health it
 * may hand on the right to low ports. *ret_chan is init's end. LAZ_E_SYSTEM. */
LAZ_MUST_CHECK int laz_launcher_fork(
        const struct laz_helpers_world *world, pid_t *ret_pid, int *ret_chan, struct laz_err *err);

#define LAZ_LAUNCHER_STEP_MAX  64 /* bytes of the step that a DELIVERED names */
#define LAZ_LAUNCHER_ELSEWHERE "/usr/libexec/lazaret/"

/* A program beside our own binary, or in libexec. */
void laz_launcher_find(const char *name, char *ret, size_t size);

#endif
