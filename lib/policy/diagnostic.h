/* SPDX-License-Identifier: Apache-2.0
 *
 * What the loader says about the YAML: messages with a position, a source line and a caret, at most
 * 32, in source order. Nothing here prints: a program renders and writes.
 */
#ifndef LAZ_POLICY_DIAGNOSTIC_H
#define LAZ_POLICY_DIAGNOSTIC_H

#include <stdio.h>

#include "core/buf.h"

/* Ceilings, in bytes but for the first. */
#define LAZ_DIAGNOSTICS_MAX        32  /* more than anybody corrects in one go */
#define LAZ_DIAGNOSTIC_FILE_MAX    256 /* the file's name; longer ones are cut on the left */
#define LAZ_DIAGNOSTIC_MESSAGE_MAX 512 /* a key's path, 64 bytes of the user's text, a sentence */
#define LAZ_DIAGNOSTIC_SOURCE_MAX  256 /* the source line; cut around the caret */

/* Where something was said. file is an index into laz_policy.files; line 0 = nowhere, a default. */
struct laz_pos {
    uint16_t file;
    uint32_t line; /* 1-based */
    uint32_t col;  /* 1-based, in characters */
};

/* One message about the YAML. */
struct laz_diagnostic {
    bool is_warning;
    enum laz_err_kind kind; /* POLICY_SYNTAX, POLICY_INVALID, ... */
    char file[LAZ_DIAGNOSTIC_FILE_MAX];
    uint16_t file_index; /* as in struct laz_pos */
    uint32_t line;       /* 1-based, as col, and inside the file; 0 = about the whole file */
    uint32_t col;
    char message[LAZ_DIAGNOSTIC_MESSAGE_MAX]; /* "key.path: what is wrong (did you mean ...?)" */
    char source[LAZ_DIAGNOSTIC_SOURCE_MAX];   /* the source line, cut; "" if none */
    uint32_t caret;                           /* 1-based column in `source`; 0 = none */
};

/* Invariant: sorted by file, line, column. `dropped` counts what did not fit; errors displace
 * warnings. */
struct laz_diagnostics {
    size_t n;
    size_t n_errors;
    size_t dropped;
    struct laz_diagnostic items[LAZ_DIAGNOSTICS_MAX];
};

/* Also of one that was never anything: what is behind the last item is nobody's. */
void laz_diagnostics_clear(struct laz_diagnostics *diagnostics);
/* "file:line:col: error: message", then the source line and a caret, each line ended. */
void laz_diagnostic_format(const struct laz_diagnostic *diagnostic, struct laz_buf *ret);
/* The same, written to a stream. */
void laz_diagnostic_print(const struct laz_diagnostic *diagnostic, FILE *stream);

#endif
