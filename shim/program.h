/* SPDX-License-Identifier: Apache-2.0
 *
 * The real runtime: where it is, whether nobody but root had a hand in it, and the one execve.
 */
#ifndef LAZ_SHIM_PROGRAM_H
#define LAZ_SHIM_PROGRAM_H

#include "core/err.h"
#include "core/rooted.h"

/* Regular, root's, by a path of root's, and not this program. Nothing stays open. */
LAZ_MUST_CHECK int laz_program_check(
        struct laz_rooted *folders, const char *path, struct laz_err *err);
/* The first of the places where distributions put runc that passes. Static. */
LAZ_MUST_CHECK int laz_program_find(
        struct laz_rooted *folders, const char **ret, struct laz_err *err);
/* Becomes the runtime: argv[0] is its path, all else is as it was. Returns only to say why not. */
LAZ_MUST_CHECK int laz_program_become(
        const char *path, char **argv, char **environment, struct laz_err *err);

#endif
