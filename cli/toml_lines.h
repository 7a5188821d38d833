/* SPDX-License-Identifier: Apache-2.0
 *
 * A plain subset of TOML 1.0, line by line: tables, and keys with a string, a number, a boolean or
 * an array of these on one line. What is not of it is refused with its line, so that nothing is
 * ever taken for what it is not. Nothing is copied.
 */
#ifndef LAZ_CLI_TOML_LINES_H
#define LAZ_CLI_TOML_LINES_H

#include <stddef.h>

#include "core/err.h"

#define LAZ_TOML_PARTS_MAX 12

/* A name or a string, without its quotes; there are no escapes in it. */
struct laz_toml_text {
    const char *at;
    size_t length;
};

enum laz_toml_kind {
    LAZ_TOML_NOTHING, /* blank, or a comment */
    LAZ_TOML_TABLE,
    LAZ_TOML_KEY,
};

struct laz_toml_line {
    enum laz_toml_kind kind;
    unsigned number; /* from 1 */
    size_t end;      /* behind its newline */
    /* The table that it begins or is in. */
    size_t n_parts;
    struct laz_toml_text parts[LAZ_TOML_PARTS_MAX];
    struct laz_toml_text key;
    struct laz_toml_text value; /* as it stands, with quotes and brackets */
};

/* The next line; begin with one that is all zeros. 1: there is one, 0: there is none. -1: kind,
 * with the line and what about it is not read. */
LAZ_MUST_CHECK int laz_toml_next(const char *text, size_t length, enum laz_err_kind kind,
        struct laz_toml_line *line, struct laz_err *err);

/* The table of the line is this one; NULL ends the parts. */
bool laz_toml_is_in(const struct laz_toml_line *line, const char *const *parts);
/* It is this one, or one inside of it. */
bool laz_toml_is_below(const struct laz_toml_line *line, const char *const *parts);
bool laz_toml_is(struct laz_toml_text text, const char *word);
/* The value is that string, or an array that has it. */
bool laz_toml_has(struct laz_toml_text value, const char *word);

#endif
