/* SPDX-License-Identifier: Apache-2.0
 *
 * NAME=VALUE, as a process is given it. Nothing is copied. libc only: linked into PID 1.
 */
#ifndef LAZ_CORE_ENVIRONMENT_H
#define LAZ_CORE_ENVIRONMENT_H

/* The value, if this entry is of that name; NULL: it is not. */
const char *laz_environment_value(const char *entry, const char *name);
/* The first of that name; NULL: there is none. `environment` may be NULL. */
const char *laz_environment_find(char *const *environment, const char *name);
/* So that neither /proc/PID/environ nor the memory shows anything of it. */
void laz_environment_wipe(char **environment);

#endif
