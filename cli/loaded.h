/* SPDX-License-Identifier: Apache-2.0
 *
 * A policy as the commands load it: from a file that the user names, with users and groups of the
 * root filesystem that --root names. The owner of the file is not asked: that is lazaret-init's
 * business.
 */
#ifndef LAZ_CLI_LOADED_H
#define LAZ_CLI_LOADED_H

#include "cli/command.h"
#include "core/json.h"
#include "policy/policy.h"

#define LAZ_CLI_WHERE_MAX (LAZ_DIAGNOSTIC_FILE_MAX + 32) /* "file:line:col" */

/* Invariant: policy is not NULL exactly if err.kind is LAZ_E_NONE. */
struct laz_loaded {
    const char *path;                    /* borrowed */
    struct laz_diagnostics *diagnostics; /* owned; NULL only if memory ran out */
    struct laz_policy *policy;           /* owned; NULL if it does not load */
    struct laz_err err;
};

/* Free with laz_loaded_done, whatever came of it. */
void laz_loaded_init(struct laz_loaded *ret, const char *path, const char *root);
void laz_loaded_done(struct laz_loaded *loaded);
#define laz_cleanup_loaded __attribute__((cleanup(laz_loaded_done)))

/* For commands that need a policy: LAZ_EXIT_FINE if there is one, else print why not. */
int laz_loaded_require(const struct laz_loaded *loaded, bool json);

/* The diagnostics on standard error, as compilers print them; and as a member "diagnostics". */
void laz_loaded_print_diagnostics(const struct laz_loaded *loaded);
void laz_loaded_json_diagnostics(const struct laz_loaded *loaded, struct laz_json *json);

/* A digest as a member in hexadecimal. */
void laz_cli_json_digest(
        struct laz_json *json, const char *key, const uint8_t digest[LAZ_SHA256_SIZE]);

#endif
