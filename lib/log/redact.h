/* SPDX-License-Identifier: Apache-2.0
 *
 * Takes out of a text what must not be in a log: literals, and patterns that have a name. Linear in
 * the text, whatever it is.
 */
#ifndef LAZ_LOG_REDACT_H
#define LAZ_LOG_REDACT_H

#include "log/literals.h"
#include "policy/ship.h"

struct laz_redactor_options {
    uint8_t patterns; /* bit LAZ_REDACT_x */
    const char *mrn;  /* the pattern of a medical record number, where LAZ_REDACT_MRN is on */
    size_t n_literals;
    const char *const *literals; /* each LAZ_REDACT_LITERAL_MIN to LAZ_REDACT_LITERAL_MAX bytes */
};

#define LAZ_REDACT_LITERAL_MIN LAZ_SHIP_LITERAL_MIN
#define LAZ_REDACT_LITERAL_MAX LAZ_SHIP_LITERAL_MAX

#define LAZ_REDACT_SECRET_MIN LAZ_SHIP_MASK_MIN

struct laz_redactor;

/* LAZ_E_POLICY_INVALID: the pattern cannot be compiled, with what is wrong and where. */
LAZ_MUST_CHECK int laz_redactor_new(
        const struct laz_redactor_options *options, struct laz_redactor **ret, struct laz_err *err);
void laz_redactor_free(struct laz_redactor *redactor); /* wipes literals and secrets */

/* From now on these are masked too, and those of an earlier call no more; of less than 6 bytes they
 * are not. After an error it is as it was: LAZ_E_MEMORY. */
LAZ_MUST_CHECK int laz_redactor_hide(struct laz_redactor *redactor, const struct laz_bytes *secrets,
        size_t n_secrets, struct laz_err *err);

/* No match is longer; what is longer is not recognised. */
#define LAZ_REDACT_MATCH_MAX 16384

struct laz_redact_text {
    const char *text;
    size_t length;
    char before[2]; /* what stands in front of it: line feeds where nothing does */
    uint64_t work;  /* bytes that were compared, each as often as it was; for tests */
};

struct laz_redact_match {
    size_t at;
    size_t kept;   /* bytes of it that stay: the name of a key, which tells that it is one */
    size_t length; /* with what stays */
    enum laz_redaction kind;
};

/* The first match that begins in [from, until), the longest of those that begin there. For what
 * ends or is cut off behind `until`, the text goes on to its `length`. */
bool laz_redactor_find(const struct laz_redactor *redactor, struct laz_redact_text *text,
        size_t from, size_t until, struct laz_redact_match *ret);

/* Is there anything at all to look at? Returns the first place of [from, length) where a match
 * could begin; nothing begins in front of it, whatever follows the text. */
size_t laz_redactor_skip(
        const struct laz_redactor *redactor, const char *text, size_t length, size_t from);

/* "[REDACTED:ssn]" */
void laz_redact_put_mark(struct laz_buf *ret, enum laz_redaction kind);
/* "ssn"; static */
const char *laz_redact_name(enum laz_redaction kind);

/* Are there secrets? */
bool laz_redactor_hides(const struct laz_redactor *redactor);

/* Only the secrets, for what is no line of a log: `text` appended, with each of them masked, and
 * what could be the beginning of one where the text is as long as the longest of its sort, so that
 * it may have been cut: names of processes, and paths. False, and nothing appended, if there are
 * none. */
bool laz_redact_secrets(
        const struct laz_redactor *redactor, const char *text, size_t length, struct laz_buf *ret);

#endif
