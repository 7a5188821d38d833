/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds and replaces. What begins first goes first, and of what begins at the same place the
 * longest.
 */
#include "log/redact.h"

#include <stdlib.h>

#include "core/pattern.h"
#include "log/forms.h"
#include "log/literals.h"
#include "log/scan.h"

/* X(bucket of the scan, what is redacted) */
#define BUCKETS(X)                                                                                 \
    X(SSN, SSN)                                                                                    \
    X(PAN, PAN)                                                                                    \
    X(JWT, JWT)                                                                                    \
    X(AWS_ID, AWS_KEY)                                                                             \
    X(AWS_SECRET, AWS_KEY)                                                                         \
    X(MRN, MRN)

enum bucket {
#define X(id, kind) BUCKET_##id,
    BUCKETS(X)
#undef X
    BUCKET_LITERALS, /* and those that follow */
};

#define MRN_BIT (1U << LAZ_REDACT_MRN)

_Static_assert(LAZ_LITERAL_MAX == LAZ_REDACT_LITERAL_MAX, "one ceiling");
_Static_assert(LAZ_PATTERN_NUMBER_MAX < LAZ_REDACT_MATCH_MAX, "what is looked at ahead is enough");

struct laz_redactor {
    bool is_empty;
    struct laz_scan scan;
    struct laz_pattern *mrn;
    struct laz_literals literals;
};

const char *laz_redact_name(enum laz_redaction kind)
{
    static const char *const names[LAZ_REDACT_COUNT] = {
#define X(id, word) word,
            LAZ_REDACTIONS(X)
#undef X
    };
    return names[kind];
}

void laz_redact_put_mark(struct laz_buf *ret, enum laz_redaction kind)
{
    laz_buf_str(ret, "[REDACTED:");
    laz_buf_str(ret, laz_redact_name(kind));
    laz_buf_char(ret, ']');
}

/* ---- Making one ---- */

static void scan_mrn(const struct laz_pattern *mrn, struct laz_scan_form *form)
{
    for (size_t at = 0; at < laz_pattern_shortest(mrn) && at <= LAZ_SCAN_REACH; at++) {
        unsigned char low = 0;
        unsigned char high = 0;
        laz_pattern_range(mrn, at, &low, &high);
        laz_scan_form_range(form, at, low, high);
    }
}

static void add_forms(struct laz_redactor *redactor, uint8_t patterns)
{
    static void (*const forms[])(struct laz_scan_form *) = {
            [BUCKET_SSN] = laz_form_ssn_scan,
            [BUCKET_PAN] = laz_form_pan_scan,
            [BUCKET_JWT] = laz_form_jwt_scan,
            [BUCKET_AWS_ID] = laz_form_aws_id_scan,
            [BUCKET_AWS_SECRET] = laz_form_aws_secret_scan,
    };
    static const uint8_t bits[] = {
#define X(id, kind) 1U << LAZ_REDACT_##kind,
            BUCKETS(X)
#undef X
    };
    for (unsigned bucket = 0; bucket < BUCKET_LITERALS; bucket++) {
        struct laz_scan_form form;
        laz_scan_form_any(&form);
        if ((patterns & bits[bucket]) == 0) {
            continue;
        }
        if (bucket == BUCKET_MRN) {
            scan_mrn(redactor->mrn, &form);
        } else {
            forms[bucket](&form);
        }
        laz_scan_add(&redactor->scan, bucket, &form);
    }
}

int laz_redactor_new(
        const struct laz_redactor_options *options, struct laz_redactor **ret, struct laz_err *err)
{
    struct laz_redactor *redactor = calloc(1, sizeof(*redactor));
    if (redactor == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory to redact with");
    }
    if (((options->patterns & MRN_BIT) != 0 &&
                laz_pattern_new(options->mrn, LAZ_PATTERN_NUMBER, &redactor->mrn, err) < 0) ||
            laz_literals_init(&redactor->literals, options->literals, options->n_literals, err) <
                    0) {
        laz_redactor_free(redactor);
        return -1;
    }
    redactor->is_empty = options->patterns == 0 && redactor->literals.n == 0;
    laz_scan_init(&redactor->scan, false);
    add_forms(redactor, options->patterns);
    laz_literals_scan(&redactor->literals, &redactor->scan, BUCKET_LITERALS);
    *ret = redactor;
    return 0;
}

void laz_redactor_free(struct laz_redactor *redactor)
{
    if (redactor != NULL) {
        laz_pattern_free(redactor->mrn);
        laz_literals_done(&redactor->literals);
        explicit_bzero(&redactor->scan, sizeof(redactor->scan)); /* it knows how literals begin */
        free(redactor);
    }
}

/* ---- Finding ---- */

static size_t find_mrn(const struct laz_redactor *redactor, struct laz_redact_text *text, size_t at)
{
    bool inside = laz_is_word(text->text[at]) && !laz_form_is_front(text, at);
    size_t left = text->length - at;
    /* one byte more, to see the end of the word */
    left = left < LAZ_PATTERN_NUMBER_MAX + 1 ? left : LAZ_PATTERN_NUMBER_MAX + 1;
    text->work += left;
    return inside ? 0 : laz_pattern_reach(redactor->mrn, text->text + at, left);
}

static size_t find_in_bucket(const struct laz_redactor *redactor, struct laz_redact_text *text,
        size_t at, unsigned bucket, struct laz_redact_match *ret)
{
    static const enum laz_redaction kinds[] = {
#define X(id, kind) LAZ_REDACT_##kind,
            BUCKETS(X)
#undef X
    };
    ret->kind = bucket < BUCKET_LITERALS ? kinds[bucket] : LAZ_REDACT_LITERAL;
    ret->kept = 0;
    switch (bucket) {
    case BUCKET_SSN:
        return laz_form_ssn(text, at);
    case BUCKET_PAN:
        return laz_form_pan(text, at);
    case BUCKET_JWT:
        return laz_form_jwt(text, at);
    case BUCKET_AWS_ID:
        return laz_form_aws_id(text, at);
    case BUCKET_AWS_SECRET:
        return laz_form_aws_secret(text, at, &ret->kept);
    case BUCKET_MRN:
        return find_mrn(redactor, text, at);
    default:
        return laz_literals_reach(
                &redactor->literals, text->text + at, text->length - at, &text->work);
    }
}

static bool find_at(const struct laz_redactor *redactor, struct laz_redact_text *text, size_t at,
        struct laz_redact_match *ret)
{
    uint8_t buckets = laz_scan_buckets(&redactor->scan, text->text, text->length, at);
    ret->length = 0;
    for (unsigned bucket = 0; bucket < LAZ_SCAN_BUCKETS; bucket++) {
        struct laz_redact_match match = {.at = at};
        if ((buckets >> bucket & 1) != 0) {
            match.length = find_in_bucket(redactor, text, at, bucket, &match);
        }
        if (match.length > ret->length) {
            *ret = match;
        }
    }
    return ret->length > 0;
}

bool laz_redactor_find(const struct laz_redactor *redactor, struct laz_redact_text *text,
        size_t from, size_t until, struct laz_redact_match *ret)
{
    if (redactor->is_empty) {
        return false;
    }
    size_t seen = until + LAZ_SCAN_REACH < text->length ? until + LAZ_SCAN_REACH : text->length;
    for (size_t at = from; at < until; at++) {
        at = laz_scan_next(&redactor->scan, text->text, seen, at);
        if (at < until && find_at(redactor, text, at, ret)) {
            return true;
        }
    }
    return false;
}

size_t laz_redactor_skip(
        const struct laz_redactor *redactor, const char *text, size_t length, size_t from)
{
    if (redactor->is_empty) {
        return length;
    }
    size_t decided = length > LAZ_SCAN_REACH ? length - LAZ_SCAN_REACH : 0;
    if (decided <= from) {
        return from;
    }
    size_t at = laz_scan_next(&redactor->scan, text, length, from);
    return at < decided ? at : decided;
}
