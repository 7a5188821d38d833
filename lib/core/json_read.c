/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON reader, RFC 8259. Does not recurse and does not allocate; every byte is looked at once, and
 * keys once more as they are sorted, for what is there twice.
 */
#include "core/json_read.h"

#include <string.h>

#include "core/json.h"
#include "core/num.h"

#define HIGH_FIRST 0xD800U /* surrogates, Unicode 15, 3.8 */
#define LOW_FIRST  0xDC00U
#define LOW_LAST   0xDFFFU

enum expected {
    VALUE,
    VALUE_OR_END, /* behind [ */
    KEY,
    KEY_OR_END, /* behind { */
    AFTER_VALUE,
};

/* A cursor that remembers its first mistake. */
struct reader {
    const char *text;
    size_t length;
    size_t at;
    struct laz_json_node *nodes;
    uint32_t n;
    uint32_t max;
    uint32_t open[LAZ_JSON_DEPTH_DEEP]; /* nodes that have not ended */
    unsigned depth;
    unsigned depth_max;
    const char *wrong; /* static */
};

static bool fail(struct reader *in, const char *why)
{
    if (in->wrong == NULL) {
        in->wrong = why;
    }
    return false;
}

static unsigned char peek(const struct reader *in)
{
    return in->at < in->length ? (unsigned char)in->text[in->at] : 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static void skip_blanks(struct reader *in)
{
    while (in->at < in->length && is_blank(in->text[in->at])) {
        in->at++;
    }
}

static bool add_node(struct reader *in, enum laz_json_type type, size_t start)
{
    if (in->n == in->max) {
        return fail(in, "more values than are read");
    }
    in->nodes[in->n] = (struct laz_json_node){
            .start = (uint32_t)start, .end = (uint32_t)in->at, .next = in->n + 1, .type = type};
    in->n++;
    return true;
}

/* ---- strings ---- */

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c == '\0' ? NULL : strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c);
    return at == NULL ? -1 : (int)(at - digits);
}

/* Four digits at `text`. */
static bool read_unit(const char *text, size_t left, uint32_t *ret)
{
    uint32_t value = 0;
    for (size_t i = 0; i < 4; i++) {
        int digit = i < left ? hex_digit(text[i]) : -1;
        if (digit < 0) {
            return false;
        }
        value = value << 4 | (uint32_t)digit;
    }
    *ret = value;
    return true;
}

static size_t put_utf8(uint32_t point, char ret[4])
{
    if (point < 0x80) {
        ret[0] = (char)point;
        return 1;
    }
    size_t length = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const unsigned char front[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = length; i-- > 1; point >>= 6) {
        ret[i] = (char)(0x80 | (point & 0x3F));
    }
    ret[0] = (char)(front[length] | point);
    return length;
}

/* The escape behind a backslash, as UTF-8. How many bytes of the text it takes; 0: it is none. */
static size_t read_escape(const char *text, size_t left, char ret[4], size_t *ret_length)
{
    static const char names[] = "\"\\/bfnrt";
    static const char values[] = "\"\\/\b\f\n\r\t";
    const char *name = left == 0 || text[0] == '\0' ? NULL : strchr(names, text[0]);
    uint32_t first = 0;
    uint32_t second = 0;
    if (name != NULL) {
        ret[0] = values[name - names];
        *ret_length = 1;
        return 1;
    }
    if (left < 5 || text[0] != 'u' || !read_unit(text + 1, left - 1, &first)) {
        return 0;
    }
    if (first < HIGH_FIRST || first > LOW_LAST) {
        *ret_length = put_utf8(first, ret);
        return 5;
    }
    bool is_pair = first < LOW_FIRST && left >= 11 && text[5] == '\\' && text[6] == 'u' &&
            read_unit(text + 7, left - 7, &second) && second >= LOW_FIRST && second <= LOW_LAST;
    if (!is_pair) {
        return 0;
    }
    *ret_length = put_utf8(0x10000 + ((first - HIGH_FIRST) << 10 | (second - LOW_FIRST)), ret);
    return 11;
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* Past the bytes of a string that stand for themselves, which nearly all of them do. */
static void skip_plain(struct reader *in)
{
    const char *text = in->text;
    size_t at = in->at;
    while (at < in->length && is_plain((unsigned char)text[at])) {
        at++;
    }
    in->at = at;
}

static bool read_string(struct reader *in)
{
    size_t start = in->at++;
    for (;;) {
        skip_plain(in);
        unsigned char c = peek(in);
        size_t left = in->length - in->at;
        size_t length = 0;
        char ignored[4];
        if (left == 0) {
            return fail(in, "a string does not end");
        }
        if (c == '"') {
            in->at++;
            return add_node(in, LAZ_JSON_STRING, start);
        }
        if (c < 0x20) {
            return fail(in, "a control character in a string");
        }
        if (c == '\\') {
            size_t used = read_escape(in->text + in->at + 1, left - 1, ignored, &length);
            if (used == 0) {
                return fail(in, "no escape");
            }
            in->at += used + 1;
            continue;
        }
        length = laz_utf8_length(in->text + in->at, left);
        if (length == 0) {
            return fail(in, "not UTF-8");
        }
        in->at += length;
    }
}

/* One character of a string's inside, as UTF-8; the inside is known to be good. */
static size_t next_character(const char *text, size_t *at, size_t end, char ret[4])
{
    size_t length = 0;
    if (text[*at] == '\\') {
        *at += 1 + read_escape(text + *at + 1, end - *at - 1, ret, &length);
        return length;
    }
    if ((unsigned char)text[*at] < 0x80) {
        ret[0] = text[(*at)++];
        return 1;
    }
    length = laz_utf8_length(text + *at, end - *at);
    (void)memcpy(ret, text + *at, length);
    *at += length;
    return length;
}

/* A byte of a string's inside that stands for itself, and begins no longer character. */
static bool is_itself(char byte)
{
    return byte != '\\' && (unsigned char)byte < 0x80;
}

/* Negative, 0 or positive, as one is before the other by its bytes. */
static int compare_text(
        const char *text, const struct laz_json_node *a, const struct laz_json_node *b)
{
    size_t at_a = a->start + 1U;
    size_t at_b = b->start + 1U;
    while (at_a < a->end - 1U && at_b < b->end - 1U) {
        if (text[at_a] == text[at_b] && is_itself(text[at_a])) {
            at_a++;
            at_b++;
            continue;
        }
        char one[4];
        char other[4];
        size_t length = next_character(text, &at_a, a->end - 1U, one);
        size_t other_length = next_character(text, &at_b, b->end - 1U, other);
        int order = memcmp(one, other, length < other_length ? length : other_length);
        if (order != 0 || length != other_length) {
            return order != 0 ? order : length < other_length ? -1 : 1;
        }
    }
    return (at_a < a->end - 1U) - (at_b < b->end - 1U);
}

/* ---- keys that are there twice ----
 *
 * Keys are sorted as a list that is linked through their own `next`, which says nothing that is not
 * known: a key's value is the node behind it. So it takes no memory, and for n keys n log n
 * comparisons: text of somebody else's may have a hundred thousand. 0 ends a list: the first node
 * is no key. */

#define RUNS_MAX 32 /* run number i is 2^i keys long */

static uint32_t merge_runs(struct reader *in, uint32_t a, uint32_t b)
{
    uint32_t first = 0;
    uint32_t *link = &first;
    while (a != 0 && b != 0) {
        uint32_t *taken = compare_text(in->text, &in->nodes[a], &in->nodes[b]) <= 0 ? &a : &b;
        *link = *taken;
        link = &in->nodes[*taken].next;
        *taken = *link;
    }
    *link = a != 0 ? a : b;
    return first;
}

/* The first of the sorted list; keys that are the same stay in the order of the text. */
static uint32_t sort_keys(struct reader *in, uint32_t first)
{
    uint32_t runs[RUNS_MAX] = {0};
    for (uint32_t key = first; key < in->n;) {
        uint32_t run = key;
        key = in->nodes[key + 1].next;
        in->nodes[run].next = 0;
        unsigned i = 0;
        for (; runs[i] != 0; i++) {
            run = merge_runs(in, runs[i], run);
            runs[i] = 0;
        }
        runs[i] = run;
    }
    uint32_t sorted = 0;
    for (unsigned i = 0; i < RUNS_MAX; i++) {
        sorted = runs[i] == 0 ? sorted : merge_runs(in, runs[i], sorted);
    }
    return sorted;
}

/* The first key of the text that is there before already is where the reader is afterwards. */
static bool has_twice(struct reader *in, const struct laz_json_node *object)
{
    uint32_t first = (uint32_t)(object - in->nodes) + 1;
    uint32_t twice = UINT32_MAX;
    if (first == in->n || in->nodes[first + 1].next == in->n) {
        return false;
    }
    for (uint32_t key = sort_keys(in, first); key != 0;) {
        uint32_t next = in->nodes[key].next;
        if (next != 0 && next < twice &&
                compare_text(in->text, &in->nodes[key], &in->nodes[next]) == 0) {
            twice = next;
        }
        in->nodes[key].next = key + 1;
        key = next;
    }
    if (twice != UINT32_MAX) {
        in->at = in->nodes[twice].start;
    }
    return twice != UINT32_MAX;
}

/* ---- everything else ---- */

static size_t skip_digits(struct reader *in)
{
    size_t start = in->at;
    while (peek(in) >= '0' && peek(in) <= '9') {
        in->at++;
    }
    return in->at - start;
}

static bool read_number(struct reader *in)
{
    size_t start = in->at;
    in->at += peek(in) == '-';
    bool is_zero = peek(in) == '0';
    size_t n = skip_digits(in);
    bool is_good = n > 0 && (!is_zero || n == 1);
    if (is_good && peek(in) == '.') {
        in->at++;
        is_good = skip_digits(in) > 0;
    }
    if (is_good && (peek(in) == 'e' || peek(in) == 'E')) {
        in->at++;
        in->at += peek(in) == '+' || peek(in) == '-';
        is_good = skip_digits(in) > 0;
    }
    return is_good ? add_node(in, LAZ_JSON_NUMBER, start) : fail(in, "no number");
}

static bool read_word(struct reader *in)
{
    static const struct {
        const char *word;
        enum laz_json_type type;
    } words[] = {{"null", LAZ_JSON_NULL}, {"false", LAZ_JSON_FALSE}, {"true", LAZ_JSON_TRUE}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        size_t length = strlen(words[i].word);
        if (in->length - in->at >= length &&
                memcmp(in->text + in->at, words[i].word, length) == 0) {
            in->at += length;
            return add_node(in, words[i].type, in->at - length);
        }
    }
    return fail(in, "no value");
}

static bool open_container(struct reader *in, enum laz_json_type type)
{
    if (in->depth == in->depth_max) {
        return fail(in, "too deep");
    }
    in->at++;
    in->open[in->depth++] = in->n;
    return add_node(in, type, in->at - 1);
}

static bool close_container(struct reader *in)
{
    struct laz_json_node *node = &in->nodes[in->open[in->depth - 1]];
    if (node->type == LAZ_JSON_OBJECT && has_twice(in, node)) {
        return fail(in, "a key twice");
    }
    in->at++;
    in->depth--;
    node->end = (uint32_t)in->at;
    node->next = in->n;
    return true;
}

static bool read_value(struct reader *in, enum expected *expected)
{
    unsigned char c = peek(in);
    *expected = AFTER_VALUE;
    if (c == '{' || c == '[') {
        *expected = c == '{' ? KEY_OR_END : VALUE_OR_END;
        return open_container(in, c == '{' ? LAZ_JSON_OBJECT : LAZ_JSON_ARRAY);
    }
    if (c == '"') {
        return read_string(in);
    }
    return c == '-' || (c >= '0' && c <= '9') ? read_number(in) : read_word(in);
}

static bool read_key(struct reader *in)
{
    if (peek(in) != '"') {
        return fail(in, "no key");
    }
    if (!read_string(in)) {
        return false;
    }
    skip_blanks(in);
    if (peek(in) != ':') {
        return fail(in, "no colon");
    }
    in->at++;
    return true;
}

/* Behind a value inside something. */
static bool read_separator(struct reader *in, enum expected *expected)
{
    bool is_object = in->nodes[in->open[in->depth - 1]].type == LAZ_JSON_OBJECT;
    if (peek(in) == ',') {
        in->at++;
        *expected = is_object ? KEY : VALUE;
        return true;
    }
    return peek(in) == (is_object ? '}' : ']') ? close_container(in) : fail(in, "no comma");
}

static bool read_step(struct reader *in, enum expected *expected)
{
    unsigned char c = peek(in);
    if ((*expected == VALUE_OR_END && c == ']') || (*expected == KEY_OR_END && c == '}')) {
        *expected = AFTER_VALUE;
        return close_container(in);
    }
    if (*expected == AFTER_VALUE) {
        return read_separator(in, expected);
    }
    if (*expected == KEY || *expected == KEY_OR_END) {
        *expected = VALUE;
        return read_key(in);
    }
    return read_value(in, expected);
}

int laz_json_read(const char *text, size_t length, const struct laz_json_room *room,
        struct laz_json_doc *ret, struct laz_err *err)
{
    struct reader in = {.text = text, .length = length, .nodes = room->nodes, .max = room->max};
    in.depth_max = room->depth == 0             ? LAZ_JSON_DEPTH_MAX
            : room->depth < LAZ_JSON_DEPTH_DEEP ? room->depth
                                                : LAZ_JSON_DEPTH_DEEP;
    enum expected expected = VALUE;
    if (length >= LAZ_JSON_TEXT_MAX) {
        return laz_err_set(err, room->kind, 0, "not JSON: %zu bytes", length);
    }
    do {
        skip_blanks(&in);
    } while (read_step(&in, &expected) && (in.depth > 0 || expected != AFTER_VALUE));
    size_t wrong_at = in.at;
    skip_blanks(&in);
    if (in.wrong == NULL && in.at < length) {
        wrong_at = in.at;
        (void)fail(&in, "more behind the value");
    }
    if (in.wrong != NULL) {
        if (room->ret_wrong_at != NULL) {
            *room->ret_wrong_at = wrong_at;
        }
        return laz_err_set(err, room->kind, 0, "not JSON: byte %zu: %s", wrong_at, in.wrong);
    }
    *ret = (struct laz_json_doc){
            .text = text, .length = (uint32_t)length, .nodes = room->nodes, .n = in.n};
    return 0;
}

/* A node has a byte of its own, and but for the outermost one before it: , : [ or {. The latter two
 * are nodes themselves, and end with another byte: in a text that is cut off not all of them. */
uint32_t laz_json_nodes_max(size_t length)
{
    size_t max = length / 2 + 1 + LAZ_JSON_DEPTH_DEEP;
    return max < UINT32_MAX ? (uint32_t)max : UINT32_MAX;
}

/* ---- looking at it ---- */

const struct laz_json_node *laz_json_root(const struct laz_json_doc *doc)
{
    return &doc->nodes[0];
}

const struct laz_json_node *laz_json_next(const struct laz_json_doc *doc,
        const struct laz_json_node *container, const struct laz_json_node *previous)
{
    if (container == NULL ||
            (container->type != LAZ_JSON_ARRAY && container->type != LAZ_JSON_OBJECT)) {
        return NULL;
    }
    const struct laz_json_node *next =
            previous == NULL ? container + 1 : &doc->nodes[previous->next];
    return next < &doc->nodes[container->next] ? next : NULL;
}

/* The string begins with this text, and ends with it where it is to be all of it. */
static bool is_text(const struct laz_json_doc *doc, const struct laz_json_node *node,
        const char *text, bool is_all)
{
    size_t at = node->start + 1U;
    size_t end = node->end - 1U;
    while (*text != '\0' && at < end) {
        if (is_itself(doc->text[at])) {
            if (doc->text[at++] != *text++) {
                return false;
            }
            continue;
        }
        char character[4];
        size_t n = next_character(doc->text, &at, end, character);
        if (strncmp(character, text, n) != 0) { /* one that is NUL is in no text */
            return false;
        }
        text += n;
    }
    return *text == '\0' && (at == end || !is_all);
}

/* By its first byte; of an empty string that is the quote behind it. */
static bool differs_at_once(
        const struct laz_json_doc *doc, const struct laz_json_node *node, const char *text)
{
    char first = doc->text[node->start + 1U];
    return first != text[0] && first != '"' && is_itself(first);
}

bool laz_json_is(const struct laz_json_doc *doc, const struct laz_json_node *node, const char *text)
{
    return node != NULL && node->type == LAZ_JSON_STRING && is_text(doc, node, text, true);
}

bool laz_json_begins(
        const struct laz_json_doc *doc, const struct laz_json_node *node, const char *text)
{
    return node != NULL && node->type == LAZ_JSON_STRING && is_text(doc, node, text, false);
}

/* Whether a character between the two, both included, is in a string. */
static bool has_between(const struct laz_json_doc *doc, const struct laz_json_node *node,
        unsigned char least, unsigned char most)
{
    for (size_t at = node->start + 1U; at < node->end - 1U;) {
        char character[4] = {doc->text[at]};
        if (is_itself(character[0])) {
            at++;
        } else {
            (void)next_character(doc->text, &at, node->end - 1U, character);
        }
        if ((unsigned char)character[0] >= least && (unsigned char)character[0] <= most) {
            return true;
        }
    }
    return false;
}

bool laz_json_is_ascii(const struct laz_json_doc *doc, const struct laz_json_node *node)
{
    size_t at = node == NULL ? 0 : node->start + 1U;
    while (node != NULL && at < node->end - 1U && is_plain((unsigned char)doc->text[at])) {
        at++;
    }
    if (node != NULL && node->type == LAZ_JSON_STRING && at == node->end - 1U) {
        return true; /* nearly always */
    }
    return node != NULL && node->type == LAZ_JSON_STRING && !has_between(doc, node, 0, 0) &&
            !has_between(doc, node, 0x80, 0xFF);
}

bool laz_json_has_nul(const struct laz_json_doc *doc, const struct laz_json_node *node)
{
    return node != NULL && node->type == LAZ_JSON_STRING &&
            memchr(doc->text + node->start, '\\', node->end - node->start) != NULL &&
            has_between(doc, node, 0, 0); /* only an escape can be one */
}

const struct laz_json_node *laz_json_member(
        const struct laz_json_doc *doc, const struct laz_json_node *object, const char *key)
{
    if (object == NULL || object->type != LAZ_JSON_OBJECT) {
        return NULL;
    }
    const struct laz_json_node *end = &doc->nodes[object->next];
    for (const struct laz_json_node *node = object + 1; node < end;
            node = &doc->nodes[node[1].next]) { /* behind its value */
        if (!differs_at_once(doc, node, key) && is_text(doc, node, key, true)) {
            return node + 1;
        }
    }
    return NULL;
}

bool laz_json_text(
        const struct laz_json_doc *doc, const struct laz_json_node *node, struct laz_buf *ret)
{
    if (node == NULL || node->type != LAZ_JSON_STRING) {
        return false;
    }
    size_t before = ret->len;
    for (size_t at = node->start + 1U; at < node->end - 1U;) {
        char character[4] = "?"; /* none that is no text */
        size_t from = at;
        while (at < node->end - 1U && is_itself(doc->text[at])) {
            at++;
        }
        if (at > from) {
            laz_buf_put(ret, doc->text + from, at - from);
        } else {
            size_t length = next_character(doc->text, &at, node->end - 1U, character);
            laz_buf_put(ret, character, length);
        }
        if (ret->overflow || character[0] == '\0') {
            ret->len = before;
            return false;
        }
    }
    return true;
}

bool laz_json_copy(
        const struct laz_json_doc *doc, const struct laz_json_node *node, char *ret, size_t size)
{
    struct laz_buf buf;
    laz_buf_init_fixed(&buf, ret, size);
    bool is_good = laz_json_text(doc, node, &buf);
    ret[is_good ? buf.len : 0] = '\0';
    return is_good;
}

bool laz_json_number(const struct laz_json_doc *doc, const struct laz_json_node *node, uint64_t max,
        uint64_t *ret)
{
    return node != NULL && node->type == LAZ_JSON_NUMBER &&
            laz_parse_u64(doc->text + node->start, node->end - node->start, max, ret);
}
