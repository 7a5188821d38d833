/* SPDX-License-Identifier: Apache-2.0
 *
 * A sorted list, and a table of first four bytes into it. A place of a text costs one look into the
 * table and, where a literal begins so, one comparison with the bytes of the longest candidate and
 * one byte for each halving: nothing that many literals, or many that are alike, can make long.
 */
#include "log/literals.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "log/writings.h"

static uint32_t first_four(const char *text)
{
    uint32_t four;
    (void)memcpy(&four, text, sizeof(four));
    return four;
}

static const char *bytes_of(const struct laz_literals *literals, size_t number)
{
    return literals->bytes.data + literals->items[number].at;
}

/* ---- Making them ---- */

static bool add(struct laz_literals *literals, size_t at, size_t length)
{
    if (literals->n == literals->room) {
        size_t room = literals->room == 0 ? 64 : 2 * literals->room;
        struct laz_literal *items = realloc(literals->items, room * sizeof(*items));
        if (items == NULL) {
            return false;
        }
        literals->items = items;
        literals->room = room;
    }
    literals->items[literals->n++] =
            (struct laz_literal){.at = (uint32_t)at, .length = (uint32_t)length};
    return true;
}

bool laz_literals_keep(struct laz_literals *literals, size_t at, size_t length)
{
    bool fits = true;
    for (; length > LAZ_LITERAL_MAX && fits; length -= LAZ_LITERAL_PIECE) {
        fits = add(literals, at, LAZ_LITERAL_PIECE);
        at += LAZ_LITERAL_PIECE;
    }
    return length < LAZ_LITERALS_LEAST ? fits : fits && add(literals, at, length);
}

static int compare(const void *a, const void *b, void *context)
{
    const struct laz_literal *one = a;
    const struct laz_literal *other = b;
    const char *bytes = context;
    size_t length = one->length < other->length ? one->length : other->length;
    int order = memcmp(bytes + one->at, bytes + other->at, length);
    return order != 0 ? order : (one->length > other->length) - (one->length < other->length);
}

static bool is_within(const struct laz_literals *literals, size_t one, size_t other)
{
    return literals->items[one].length <= literals->items[other].length &&
            memcmp(bytes_of(literals, one), bytes_of(literals, other),
                    literals->items[one].length) == 0;
}

static void sort(struct laz_literals *literals)
{
    size_t n = 0;
    qsort_r(literals->items, literals->n, sizeof(literals->items[0]), compare,
            literals->bytes.data);
    for (size_t i = 0; i < literals->n; i++) {
        literals->items[n] = literals->items[i];
        if (n > 0 && literals->items[n - 1].length == literals->items[n].length &&
                is_within(literals, n - 1, n)) {
            continue;
        }
        uint32_t within = (uint32_t)n; /* the one in front of it, plus 1 */
        while (within != 0 && !is_within(literals, within - 1, n)) {
            within = literals->items[within - 1].within;
        }
        literals->items[n++].within = within;
    }
    literals->n = n;
}

static struct laz_literal_group *find_group(const struct laz_literals *literals, uint32_t four)
{
    size_t mask = literals->n_groups - 1;
    size_t at = (size_t)(four * UINT64_C(0x9E3779B97F4A7C15) >> 32) & mask;
    while (literals->groups[at].n > 0 &&
            first_four(bytes_of(literals, literals->groups[at].first)) != four) {
        at = (at + 1) & mask;
    }
    return &literals->groups[at];
}

static bool make_groups(struct laz_literals *literals)
{
    size_t wanted = 2;
    while (wanted < 2 * literals->n) {
        wanted *= 2;
    }
    literals->groups = calloc(wanted, sizeof(*literals->groups));
    if (literals->groups == NULL) {
        return false;
    }
    literals->n_groups = wanted;
    for (size_t i = 0; i < literals->n; i++) {
        struct laz_literal_group *group = find_group(literals, first_four(bytes_of(literals, i)));
        group->first = group->n == 0 ? (uint32_t)i : group->first;
        group->n++;
    }
    return true;
}

/* Twice the same is what comes of a secret that is delivered as it was fetched. */
static bool is_known(const struct laz_bytes *texts, size_t number)
{
    bool found = false;
    for (size_t i = 0; i < number && !found; i++) {
        found = texts[i].length == texts[number].length &&
                memcmp(texts[i].at, texts[number].at, texts[i].length) == 0;
    }
    return found;
}

static bool make(
        struct laz_literals *literals, const struct laz_bytes *texts, size_t n_texts, size_t least)
{
    for (size_t i = 0; i < n_texts; i++) {
        if (!is_known(texts, i) && !laz_writings_put(literals, &texts[i], least)) {
            return false;
        }
    }
    sort(literals);
    return literals->n == 0 || make_groups(literals);
}

int laz_literals_init(struct laz_literals *literals, const struct laz_bytes *texts, size_t n_texts,
        size_t least, struct laz_err *err)
{
    size_t size = 1;
    for (size_t i = 0; i < n_texts; i++) {
        size += laz_writings_room(texts[i].length);
    }
    if (n_texts == 0) {
        return 0;
    }
    /* In one piece, because what grows leaves copies behind. A page of it is there when it is
     * written to. */
    void *memory = mmap(
            NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory != MAP_FAILED) {
        literals->size = size;
        laz_buf_init_fixed(&literals->bytes, memory, size);
    }
    if (memory == MAP_FAILED || madvise(memory, size, MADV_DONTDUMP) < 0 ||
            !make(literals, texts, n_texts, least)) {
        laz_literals_done(literals);
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for %zu literals", n_texts);
    }
    return 0;
}

void laz_literals_done(struct laz_literals *literals)
{
    if (literals->size > 0) {
        explicit_bzero(literals->bytes.data, literals->bytes.len);
        (void)munmap(literals->bytes.data, literals->size);
    }
    free(literals->items);
    free(literals->groups);
    *literals = (struct laz_literals){0};
}

/* ---- Finding them ---- */

/* How many bytes of both are the same, of which the first `same` are known to be. */
static size_t same_bytes(
        const char *one, const char *other, size_t length, size_t same, uint64_t *work)
{
    uint64_t a;
    uint64_t b;
    size_t at = same;
    for (; length - at >= sizeof(a); at += sizeof(a)) {
        (void)memcpy(&a, one + at, sizeof(a));
        (void)memcpy(&b, other + at, sizeof(b));
        if (a != b) {
            break;
        }
    }
    while (at < length && one[at] == other[at]) {
        at++;
    }
    *work += at - same + 1;
    return at;
}

size_t laz_literals_reach(
        const struct laz_literals *literals, const char *text, size_t length, uint64_t *work)
{
    if (literals->n == 0 || length < LAZ_LITERALS_LEAST) {
        return 0;
    }
    const struct laz_literal_group *group = find_group(literals, first_four(text));
    size_t low = group->first; /* in front of it: none behind the text */
    size_t high = low + group->n;
    size_t same_low = LAZ_LITERALS_LEAST;
    size_t same_high = LAZ_LITERALS_LEAST;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct laz_literal *item = &literals->items[middle];
        const char *bytes = literals->bytes.data + item->at;
        size_t shorter = item->length < length ? item->length : length;
        size_t same =
                same_bytes(bytes, text, shorter, same_low < same_high ? same_low : same_high, work);
        bool is_behind = same == shorter ? item->length > length
                                         : (unsigned char)bytes[same] > (unsigned char)text[same];
        if (is_behind) {
            high = middle;
            same_high = same;
        } else {
            low = middle + 1;
            same_low = same;
        }
    }
    /* Of the last one in front of it the text has the first `same_low` bytes, and of all others no
     * more. */
    uint32_t number = group->n == 0 || low == group->first ? 0 : (uint32_t)low;
    while (number != 0 && literals->items[number - 1].length > same_low) {
        number = literals->items[number - 1].within;
    }
    return number == 0 ? 0 : literals->items[number - 1].length;
}

bool laz_literals_begins(const struct laz_literals *literals, const char *text, size_t length)
{
    if (literals->n == 0 || length < LAZ_LITERALS_LEAST) {
        return false;
    }
    const struct laz_literal_group *group = find_group(literals, first_four(text));
    size_t low = group->first;
    size_t high = low + group->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct laz_literal *item = &literals->items[middle];
        size_t shorter = item->length < length ? item->length : length;
        int order = memcmp(literals->bytes.data + item->at, text, shorter);
        if (order < 0 || (order == 0 && item->length < length)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < group->first + group->n && literals->items[low].length >= length &&
            memcmp(bytes_of(literals, low), text, length) == 0;
}

void laz_literals_scan(const struct laz_literals *literals, struct laz_scan *scan, unsigned first)
{
    unsigned n_buckets = LAZ_SCAN_BUCKETS - first;
    for (size_t i = 0; i < literals->n; i++) {
        const unsigned char *bytes = (const unsigned char *)bytes_of(literals, i);
        /* what begins alike goes together */
        laz_scan_add_bytes(scan, first + bytes[0] % n_buckets, bytes, literals->items[i].length);
    }
}
