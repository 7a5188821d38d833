/* SPDX-License-Identifier: Apache-2.0
 *
 * Takes out of a text what must not be in a log: literals, and patterns that have a name. Linear in
 * the text, whatever it is.
 */
#ifndef LAZ_LOG_REDACT_H
#define LAZ_LOG_REDACT_H

#include "core/buf.h"
#include "policy/ship.h"

struct laz_redactor_options {
    uint8_t patterns; /* bit LAZ_REDACT_x */
    const char *mrn;  /* the pattern of a medical record number, where LAZ_REDACT_MRN is on */
    size_t n_literals;
    const char *const *literals; /* each LAZ_REDACT_LITERAL_MIN to LAZ_REDACT_LITERAL_MAX bytes */
};

#define LAZ_REDACT_LITERAL_MIN 4
#define LAZ_REDACT_LITERAL_MAX 256

struct laz_redactor;

/* LAZ_E_POLICY_INVALID: the pattern cannot be compiled, with what is wrong and where. */
LAZ_MUST_CHECK int laz_redactor_new(
        const struct laz_redactor_options *options, struct laz_redactor **ret, struct laz_err *err);
void laz_redactor_free(struct laz_redactor *redactor); /* wipes the literals */

/* Append `text` to `ret` with each match replaced by "[REDACTED:ssn]" and so on, and count them.
 * False, and nothing appended, if nothing matched. */
bool laz_redact(const struct laz_redactor *redactor, const char *text, size_t length,
        struct laz_buf *ret, uint32_t counts[LAZ_REDACT_COUNT]);

#endif
