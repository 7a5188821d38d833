/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds and replaces. What begins first goes first, and of what begins at the same place the
 * longest.
 */
#include "log/redact.h"

#include <stdlib.h>

#include "core/pattern.h"
#include "log/forms.h"
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

#define MRN_BIT  (1U << LAZ_REDACT_MRN)
#define PATTERNS ((1U << LAZ_REDACT_LITERAL) - 1) /* what stands in front of it has a form */

/* Where the texts of others are cut: comm, and the shortest room for a path. */
#define CUT_NAME 15
#define CUT_PATH 127

_Static_assert(LAZ_LITERAL_MAX < LAZ_REDACT_MATCH_MAX, "what is looked at ahead is enough");
_Static_assert(LAZ_PATTERN_NUMBER_MAX < LAZ_REDACT_MATCH_MAX, "what is looked at ahead is enough");

struct laz_redactor {
    bool is_empty;
    uint8_t patterns;
    struct laz_scan scan;
    struct laz_pattern *mrn;
    struct laz_literals literals;
    struct laz_literals secrets;
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

static void add_forms(struct laz_redactor *redactor)
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
        if ((redactor->patterns & bits[bucket]) == 0) {
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

/* All over: from a scan nothing can be taken off. */
static void make_scan(struct laz_redactor *redactor)
{
    redactor->is_empty =
            redactor->patterns == 0 && redactor->literals.n == 0 && redactor->secrets.n == 0;
    explicit_bzero(&redactor->scan, sizeof(redactor->scan));
    laz_scan_init(&redactor->scan, false);
    add_forms(redactor);
    laz_literals_scan(&redactor->literals, &redactor->scan, BUCKET_LITERALS);
    laz_literals_scan(&redactor->secrets, &redactor->scan, BUCKET_LITERALS);
}

static int take_literals(struct laz_redactor *redactor, const struct laz_redactor_options *options,
        struct laz_err *err)
{
    struct laz_bytes texts[LAZ_SHIP_LITERALS_MAX];
    if (options->n_literals > LAZ_SHIP_LITERALS_MAX) {
        return laz_err_set(err, LAZ_E_INTERNAL, 0, "%zu literals", options->n_literals);
    }
    for (size_t i = 0; i < options->n_literals; i++) {
        texts[i].at = options->literals[i];
        texts[i].length = strnlen(options->literals[i], LAZ_REDACT_LITERAL_MAX);
    }
    return laz_literals_init(
            &redactor->literals, texts, options->n_literals, LAZ_REDACT_LITERAL_MIN, err);
}

int laz_redactor_new(
        const struct laz_redactor_options *options, struct laz_redactor **ret, struct laz_err *err)
{
    struct laz_redactor *redactor = calloc(1, sizeof(*redactor));
    if (redactor == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory to redact with");
    }
    redactor->patterns = options->patterns & PATTERNS;
    if (((redactor->patterns & MRN_BIT) != 0 &&
                laz_pattern_new(options->mrn, LAZ_PATTERN_NUMBER, &redactor->mrn, err) < 0) ||
            take_literals(redactor, options, err) < 0) {
        laz_redactor_free(redactor);
        return -1;
    }
    make_scan(redactor);
    *ret = redactor;
    return 0;
}

int laz_redactor_hide(struct laz_redactor *redactor, const struct laz_bytes *secrets,
        size_t n_secrets, struct laz_err *err)
{
    struct laz_bytes *texts = calloc(n_secrets + 1, sizeof(*texts));
    struct laz_literals made = {0};
    size_t n = 0;
    if (texts == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for %zu secrets", n_secrets);
    }
    for (size_t i = 0; i < n_secrets; i++) {
        if (secrets[i].length >= LAZ_REDACT_SECRET_MIN) {
            texts[n++] = secrets[i];
        }
    }
    int result = laz_literals_init(&made, texts, n, LAZ_REDACT_SECRET_MIN, err);
    free(texts); /* where they are, and nothing of them */
    if (result < 0) {
        return -1;
    }
    laz_literals_done(&redactor->secrets);
    redactor->secrets = made;
    make_scan(redactor);
    return 0;
}

void laz_redactor_free(struct laz_redactor *redactor)
{
    if (redactor != NULL) {
        laz_pattern_free(redactor->mrn);
        laz_literals_done(&redactor->literals);
        laz_literals_done(&redactor->secrets);
        explicit_bzero(&redactor->scan, sizeof(redactor->scan)); /* it knows how literals begin */
        free(redactor);
    }
}

bool laz_redactor_hides(const struct laz_redactor *redactor)
{
    return redactor->secrets.n > 0;
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

/* Of both sorts the longer one. */
static size_t find_literal(const struct laz_redactor *redactor, struct laz_redact_text *text,
        size_t at, enum laz_redaction *ret_kind)
{
    const char *bytes = text->text + at;
    size_t left = text->length - at;
    size_t secret = laz_literals_reach(&redactor->secrets, bytes, left, &text->work);
    size_t literal = laz_literals_reach(&redactor->literals, bytes, left, &text->work);
    *ret_kind = secret >= literal ? LAZ_REDACT_SECRET : LAZ_REDACT_LITERAL;
    return secret >= literal ? secret : literal;
}

static size_t find_in_bucket(const struct laz_redactor *redactor, struct laz_redact_text *text,
        size_t at, unsigned bucket, struct laz_redact_match *ret)
{
    static const enum laz_redaction kinds[] = {
#define X(id, kind) LAZ_REDACT_##kind,
            BUCKETS(X)
#undef X
    };
    ret->kind = bucket < BUCKET_LITERALS ? kinds[bucket] : LAZ_REDACT_SECRET;
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
        return find_literal(redactor, text, at, &ret->kind);
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

/* Nothing of a secret stays because something else begins in front of it: a match goes on to the
 * end of all secrets that begin inside. Returns its length. */
static size_t reach_out(const struct laz_redactor *redactor, struct laz_redact_text *text,
        const struct laz_redact_match *match)
{
    size_t end = match->at + match->length;
    size_t most = match->at + LAZ_REDACT_MATCH_MAX - LAZ_LITERAL_MAX;
    for (size_t at = match->at + 1; at < end && end < most; at++) {
        size_t n = laz_literals_reach(
                &redactor->secrets, text->text + at, text->length - at, &text->work);
        end = at + n > end ? at + n : end;
    }
    return end - match->at;
}

bool laz_redactor_find(const struct laz_redactor *redactor, struct laz_redact_text *text,
        size_t from, size_t until, struct laz_redact_match *ret)
{
    bool has_secrets = laz_redactor_hides(redactor);
    if (redactor->is_empty) {
        return false;
    }
    size_t seen = until + LAZ_SCAN_REACH < text->length ? until + LAZ_SCAN_REACH : text->length;
    for (size_t at = from; at < until; at++) {
        at = laz_scan_next(&redactor->scan, text->text, seen, at);
        if (at < until && find_at(redactor, text, at, ret)) {
            ret->length = has_secrets ? reach_out(redactor, text, ret) : ret->length;
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

/* Where at the end of a text that may have been cut a secret could begin; or its length. */
static size_t find_cut(const struct laz_redactor *redactor, const char *text, size_t length)
{
    size_t at = length > LAZ_LITERAL_MAX ? length - LAZ_LITERAL_MAX : 0;
    if (length != CUT_NAME && length < CUT_PATH) {
        return length;
    }
    while (at + LAZ_REDACT_SECRET_MIN <= length &&
            !laz_literals_begins(&redactor->secrets, text + at, length - at)) {
        at++;
    }
    return at + LAZ_REDACT_SECRET_MIN <= length ? at : length;
}

bool laz_redact_secrets(
        const struct laz_redactor *redactor, const char *text, size_t length, struct laz_buf *ret)
{
    struct laz_redact_text all = {.text = text, .length = length};
    size_t done = 0;
    bool found = false;
    if (!laz_redactor_hides(redactor)) {
        return false;
    }
    size_t cut = find_cut(redactor, text, length);
    for (size_t at = 0; at < length; at++) {
        struct laz_redact_match match = {.at = at};
        match.length = laz_literals_reach(&redactor->secrets, text + at, length - at, &all.work);
        if (match.length > 0 || at == cut) {
            laz_buf_put(ret, text + done, at - done);
            laz_redact_put_mark(ret, LAZ_REDACT_SECRET);
            size_t reached = match.length > 0 ? at + reach_out(redactor, &all, &match) : length;
            done = cut >= at && cut < reached ? length : reached;
            at = done - 1;
            found = true;
        }
    }
    if (found) {
        laz_buf_put(ret, text + done, length - done);
    }
    return found;
}
