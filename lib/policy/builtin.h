/* SPDX-License-Identifier: Apache-2.0
 *
 * The built-in policies, policies/builtin/NAME.yaml, as the programs carry them. The source is
 * generated (lib/policy/embed.cmake); nothing is read from disk.
 */
#ifndef LAZ_POLICY_BUILTIN_H
#define LAZ_POLICY_BUILTIN_H

#include <stddef.h>

struct laz_builtin {
    const char *name;          /* "builtin/web-api" */
    const unsigned char *text; /* the file's bytes; not terminated */
    size_t size;
};

/* Sorted by name; static. */
extern const struct laz_builtin laz_builtins[];
extern const size_t laz_builtin_count;

#endif
