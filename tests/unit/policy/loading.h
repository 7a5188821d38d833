/* SPDX-License-Identifier: Apache-2.0
 *
 * Policies from texts and files for the tests of this area.
 */
#ifndef LAZ_POLICY_LOADING_H
#define LAZ_POLICY_LOADING_H

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "tests/fixture/position.h"

#define PASSWD "tests/data/good/passwd"
#define GROUP  "tests/data/good/group"

/* What every policy needs beside the part that a test is about. */
#define MINIMAL                                                                                    \
    "version: 1\n"                                                                                 \
    "workload: {user: \"10001:10001\"}\n"                                                          \
    "filesystem: {read-exec: [/usr]}\n"

struct loaded {
    int result;
    struct laz_err err;
    struct laz_policy *policy; /* NULL if the load failed */
    struct laz_diagnostics *diagnostics;
};

static inline struct loaded load_source(const struct laz_policy_source *source)
{
    struct loaded loaded = {.diagnostics = calloc(1, sizeof(*loaded.diagnostics))};
    cr_assert_not_null(loaded.diagnostics);
    loaded.result = laz_policy_load(source, loaded.diagnostics, &loaded.policy, &loaded.err);
    return loaded;
}

static inline struct loaded load_bytes(const char *text, size_t length)
{
    const struct laz_policy_source source = {.path = "/nowhere/test.yaml",
            .text = text,
            .text_length = length,
            .passwd_path = PASSWD,
            .group_path = GROUP};
    return load_source(&source);
}

static inline struct loaded load_text(const char *text)
{
    return load_bytes(text, strlen(text));
}

static inline struct loaded load_path(const char *path)
{
    const struct laz_policy_source source = {
            .path = path, .passwd_path = PASSWD, .group_path = GROUP};
    return load_source(&source);
}

static inline void unload(struct loaded *loaded)
{
    laz_policy_free(loaded->policy);
    free(loaded->diagnostics);
    *loaded = (struct loaded){0};
}

/* The policy of a text that must load. */
static inline struct laz_policy *must_load(const char *text)
{
    struct loaded loaded = load_text(text);
    cr_assert_eq(loaded.result, 0, "%s\n%s", loaded.err.message, text);
    free(loaded.diagnostics);
    return loaded.policy;
}

#endif
