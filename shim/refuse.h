/* SPDX-License-Identifier: Apache-2.0
 *
 * How the shim says no: a line in the runtime's log, where containerd and podman look for the
 * reason, a line on stderr, and exit code 1.
 */
#ifndef LAZ_SHIM_REFUSE_H
#define LAZ_SHIM_REFUSE_H

#include "core/err.h"
#include "shim/arguments.h"

/* Returns the exit code. own_log: the host's file for refusals, or NULL; text. What cannot be
 * written changes nothing. Where a caller would take the words for something else (a program that
 * is missing, a container that is gone), hyphens stand in the place of their spaces. */
LAZ_MUST_CHECK int laz_refuse(
        const struct laz_arguments *arguments, const char *own_log, const struct laz_err *err);
/* The same, where the call goes on: into the logs alone. */
void laz_warn(
        const struct laz_arguments *arguments, const char *own_log, const struct laz_err *err);

#endif
