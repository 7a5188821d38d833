/* SPDX-License-Identifier: Apache-2.0
 *
 * All the ways to write a literal are made once, when it comes; a text is then compared with what
 * has the same first four bytes. What is read from a literal never leaves this file.
 */
#include "log/literals.h"

#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/pattern.h"
#include "log/base64.h"

#define LEAST        4  /* bytes of a literal */
#define LEAST_BASE64 8  /* digits: fewer are in every log by chance */
#define ALL_FORMS    64 /* times as long as a literal: what all its forms take together */
#define FORM_MAX     (6 * LAZ_LITERAL_MAX + 8)
#define HEX          "0123456789ABCDEF"
#define HEX_LOWER    "0123456789abcdef"

static uint32_t hash(const char *text)
{
    uint32_t four;
    (void)memcpy(&four, text, sizeof(four));
    return four * UINT32_C(0x9E3779B1) >> 20; /* 12 bits: LAZ_LITERALS_SLOTS */
}

static bool is_there(const struct laz_literals *literals, const char *bytes, size_t length)
{
    for (uint32_t i = literals->slots[hash(bytes)]; i != 0; i = literals->items[i - 1].next) {
        const struct laz_literal *literal = &literals->items[i - 1];
        if (literal->length == length &&
                memcmp(literals->bytes.data + literal->at, bytes, length) == 0) {
            return true;
        }
    }
    return false;
}

static int keep(struct laz_literals *literals, const char *bytes, size_t length)
{
    if (is_there(literals, bytes, length)) {
        return 0;
    }
    struct laz_literal *items = realloc(literals->items, (literals->n + 1) * sizeof(*items));
    if (items == NULL) {
        return -1;
    }
    literals->items = items;
    uint32_t *slot = &literals->slots[hash(bytes)];
    items[literals->n++] =
            (struct laz_literal){.at = literals->bytes.len, .length = length, .next = *slot};
    *slot = (uint32_t)literals->n;
    literals->longest = length > literals->longest ? length : literals->longest;
    laz_buf_put(&literals->bytes, bytes, length);
    return literals->bytes.overflow ? -1 : 0;
}

/* ---- The ways to write it ---- */

static void put_unit(struct laz_buf *buf, unsigned unit, const char *digits)
{
    const char text[] = {'\\', 'u', digits[unit >> 12 & 0xF], digits[unit >> 8 & 0xF],
            digits[unit >> 4 & 0xF], digits[unit & 0xF]};
    laz_buf_put(buf, text, sizeof(text));
}

/* A character beyond ASCII as \u: two of them beyond U+FFFF. */
static size_t put_character(struct laz_buf *buf, const unsigned char *s, const char *digits)
{
    size_t length = s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;
    unsigned code = s[0] & (0xFFU >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        code = code << 6 | (s[i] & 0x3FU);
    }
    if (code >= 0x10000) {
        put_unit(buf, 0xD800 + ((code - 0x10000) >> 10), digits);
        code = 0xDC00 + ((code - 0x10000) & 0x3FF);
    }
    put_unit(buf, code, digits);
    return length;
}

struct json_style {
    bool slash;        /* \/ */
    const char *ascii; /* beyond ASCII as \u with these digits; NULL: as it is */
    bool html;         /* < > & as \u too */
};

static void put_json(
        struct laz_buf *buf, const char *text, size_t length, const struct json_style *style)
{
    static const char plain[] = "\"\\\b\f\n\r\t";
    static const char letters[] = "\"\\bfnrt";
    const unsigned char *s = (const unsigned char *)text;
    for (size_t i = 0; i < length;) {
        const char *found = s[i] == 0 ? NULL : strchr(plain, s[i]);
        size_t n = 1;
        if (found != NULL) {
            laz_buf_char(buf, '\\');
            laz_buf_char(buf, letters[found - plain]);
        } else if (s[i] == '/' && style->slash) {
            laz_buf_str(buf, "\\/");
        } else if (s[i] < 0x20 || (style->html && s[i] < 0x80 && strchr("<>&", s[i]) != NULL)) {
            put_unit(buf, s[i], style->ascii != NULL ? style->ascii : HEX_LOWER);
        } else if (s[i] >= 0x80 && style->ascii != NULL &&
                laz_utf8_length(text + i, length - i) > 1) {
            n = put_character(buf, s + i, style->ascii);
        } else {
            laz_buf_char(buf, text[i]);
        }
        i += n;
    }
}

/* RFC 3986, 2.3; application/x-www-form-urlencoded where a blank is +. */
static void put_url(
        struct laz_buf *buf, const char *text, size_t length, const char *digits, bool is_form)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (laz_is_word(text[i]) || c == '-' || c == '.' || (is_form ? c == '*' : c == '~')) {
            laz_buf_char(buf, text[i]);
        } else if (is_form && c == ' ') {
            laz_buf_char(buf, '+');
        } else {
            const char escaped[] = {'%', digits[c >> 4], digits[c & 0xF]};
            laz_buf_put(buf, escaped, sizeof(escaped));
        }
    }
}

/* ---- Making them ---- */

/* The lines of a literal that has several: each is a literal, because most logs have no others. */
static int keep_lines(struct laz_literals *literals, const char *text, size_t length)
{
    for (size_t at = 0; at < length;) {
        const char *feed = memchr(text + at, '\n', length - at);
        size_t end = feed == NULL ? length : (size_t)(feed - text);
        size_t stop = end > at && text[end - 1] == '\r' ? end - 1 : end;
        if (stop - at >= LEAST && keep(literals, text + at, stop - at) < 0) {
            return -1;
        }
        at = end + 1;
    }
    return 0;
}

/* What is made is in `form`; nothing else of it is needed afterwards. */
static int keep_form(struct laz_literals *literals, struct laz_buf *form)
{
    int result = form->overflow ? -1 : 0;
    if (result == 0 && form->len >= LEAST && memchr(form->data, '\n', form->len) == NULL) {
        result = keep(literals, form->data, form->len);
    }
    form->len = 0;
    return result;
}

/* In base64 a text looks in three ways, by how many bytes are in front of it. The digits that
 * depend on its neighbours are left out. */
static int keep_base64(
        struct laz_literals *literals, const char *text, size_t length, struct laz_buf *form)
{
    for (size_t shift = 0; shift < 3; shift++) {
        for (int is_url = 0; is_url < 2; is_url++) {
            char padded[2 + LAZ_LITERAL_MAX] = {0};
            (void)memcpy(padded + shift, text, length);
            laz_base64_put(form, padded, shift + length, is_url != 0);
            size_t first = (8 * shift + 5) / 6;
            size_t last = 8 * (shift + length) / 6; /* without the digit that is not all its own */
            explicit_bzero(padded, sizeof(padded));
            if (form->overflow || last - first < LEAST_BASE64) {
                form->len = 0;
                continue;
            }
            form->len = last;
            (void)memmove(form->data, form->data + first, last - first);
            form->len -= first;
            if (keep_form(literals, form) < 0) {
                return -1;
            }
        }
    }
    return 0;
}

static int keep_forms(struct laz_literals *literals, const char *text, size_t length)
{
    static const struct json_style styles[] = {
            {.ascii = NULL},
            {.ascii = HEX_LOWER},
            {.ascii = HEX},
            {.slash = true},
            {.html = true},
    };
    char memory[FORM_MAX];
    struct laz_buf form;
    laz_buf_init_fixed(&form, memory, sizeof(memory));
    int result = keep_lines(literals, text, length);
    for (size_t i = 0; i < sizeof(styles) / sizeof(styles[0]) && result == 0; i++) {
        put_json(&form, text, length, &styles[i]);
        result = keep_form(literals, &form);
    }
    for (size_t i = 0; i < 3 && result == 0; i++) {
        put_url(&form, text, length, i == 1 ? HEX_LOWER : HEX, i == 2);
        result = keep_form(literals, &form);
    }
    if (result == 0) {
        result = keep_base64(literals, text, length, &form);
    }
    explicit_bzero(memory, sizeof(memory));
    return result;
}

int laz_literals_init(struct laz_literals *literals, const char *const *texts, size_t n_texts,
        struct laz_err *err)
{
    size_t size = 1;
    for (size_t i = 0; i < n_texts; i++) {
        size += ALL_FORMS * strnlen(texts[i], LAZ_LITERAL_MAX);
    }
    char *memory = malloc(size); /* once: what grows leaves copies behind */
    int result = memory == NULL ? -1 : 0;
    laz_buf_init_fixed(&literals->bytes, memory, memory == NULL ? 0 : size);
    for (size_t i = 0; i < n_texts && result == 0; i++) {
        result = keep_forms(literals, texts[i], strnlen(texts[i], LAZ_LITERAL_MAX));
    }
    if (result < 0) {
        laz_literals_done(literals);
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for %zu literals", n_texts);
    }
    return 0;
}

void laz_literals_done(struct laz_literals *literals)
{
    if (literals->bytes.data != NULL) {
        explicit_bzero(literals->bytes.data, literals->bytes.len);
    }
    free(literals->bytes.data);
    free(literals->items);
    *literals = (struct laz_literals){0};
}

/* ---- Finding them ---- */

size_t laz_literals_reach(
        const struct laz_literals *literals, const char *text, size_t length, uint64_t *work)
{
    size_t found = 0;
    if (length < LEAST) {
        return 0;
    }
    for (uint32_t i = literals->slots[hash(text)]; i != 0; i = literals->items[i - 1].next) {
        const struct laz_literal *literal = &literals->items[i - 1];
        if (literal->length > found && literal->length <= length) {
            *work += literal->length;
            if (memcmp(literals->bytes.data + literal->at, text, literal->length) == 0) {
                found = literal->length;
            }
        }
    }
    return found;
}

void laz_literals_scan(const struct laz_literals *literals, struct laz_scan *scan, unsigned first)
{
    unsigned n_buckets = LAZ_SCAN_BUCKETS - first;
    for (size_t i = 0; i < literals->n; i++) {
        struct laz_scan_form form;
        const char *bytes = literals->bytes.data + literals->items[i].at;
        laz_scan_form_any(&form);
        for (size_t at = 0; at < literals->items[i].length && at <= LAZ_SCAN_REACH; at++) {
            laz_scan_form_range(&form, at, (unsigned char)bytes[at], (unsigned char)bytes[at]);
        }
        /* what begins alike goes together */
        laz_scan_add(scan, first + (unsigned char)bytes[0] % n_buckets, &form);
    }
}
