/* SPDX-License-Identifier: Apache-2.0
 *
 * What the host says about this call: which program is the real runtime, and whether anything is to
 * be enforced. A container must be stoppable also by somebody who has just broken the file.
 */
#ifndef LAZ_SHIM_CONFIGURATION_H
#define LAZ_SHIM_CONFIGURATION_H

#include <stdbool.h>
#include <stddef.h>

#include "shim/ask.h"
#include "shim/prepared.h"

#define LAZ_PROGRAM_MAX 256 /* a path of a program on a host, with the NUL */

struct laz_configuration {
    struct laz_runtime *runtime; /* owned; NULL: it was not read, or is of no use */
    struct laz_prepared from;
    struct laz_err why;            /* of no use: why */
    char program[LAZ_PROGRAM_MAX]; /* it has passed laz_program_check */
};

/* acts: more than the program is wanted; without it the file may stay unread but for one line.
 * -1: no program can be had. Otherwise the file may still be unusable; then the program is what its
 * one line `runtime: /path` names or, where that is not to be had from a file of root's, runc in
 * its usual places. The process may go on as lazaret-prepare in between. */
LAZ_MUST_CHECK int laz_configuration_read(
        struct laz_ask *ask, bool acts, struct laz_configuration *ret, struct laz_err *err);

void laz_configuration_done(struct laz_configuration *configuration);

/* The path that the only line `runtime: /path` of a text names, plainly; false: there is none, or
 * more than one. */
LAZ_MUST_CHECK bool laz_configuration_salvage(
        const char *text, size_t length, char ret[LAZ_PROGRAM_MAX]);

#endif
