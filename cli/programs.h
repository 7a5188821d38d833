/* SPDX-License-Identifier: Apache-2.0
 *
 * The programs that have to lie on a host, and what one says of itself without being run.
 */
#ifndef LAZ_CLI_PROGRAMS_H
#define LAZ_CLI_PROGRAMS_H

#include <stddef.h>

#include "core/err.h"

#define LAZ_PROGRAMS_FOLDER "/usr/libexec/lazaret"
#define LAZ_PROGRAMS_SHIM   LAZ_PROGRAMS_FOLDER "/lazaret-shim"
#define LAZ_PROGRAM_SAYS    64 /* "lazaret-helper 1.2.3" */

/* Names, of which NULL is behind the last. */
extern const char *const laz_programs[];

/* What the stamp of a file says (lib/core/stamp.c); "": it has none, or cannot be read. */
void laz_program_says(int fd, char ret[LAZ_PROGRAM_SAYS]);

/* The one of that name in LAZ_PROGRAMS_FOLDER is root's, may be executed by everybody, and is of
 * the version of this command. LAZ_E_PROGRAM, LAZ_E_HOST_UNSAFE, LAZ_E_SYSTEM. */
LAZ_MUST_CHECK int laz_program_look(const char *name, struct laz_err *err);

#endif
