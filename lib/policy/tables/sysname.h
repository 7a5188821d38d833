/* SPDX-License-Identifier: Apache-2.0
 *
 * From the number of a system call to its name, for PID 1: an object of its own that needs none of
 * the other tables.
 */
#ifndef LAZ_POLICY_TABLES_SYSNAME_H
#define LAZ_POLICY_TABLES_SYSNAME_H

#include <stdint.h>

/* Name of a system call of the architecture that this was compiled for, or NULL; static. */
const char *laz_sysname(uint32_t nr);

#endif
