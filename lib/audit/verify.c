/* SPDX-License-Identifier: Apache-2.0
 *
 * Collects the records of all chains, puts them in order, and holds the chains against each other.
 */
#include "audit/verify.h"

#include <stdlib.h>

#include "audit/walk.h"

struct laz_verify {
    struct laz_entry *entries;
    size_t n;
    size_t cap;
    struct laz_chain_verdict *verdicts;
    size_t n_chains;
    size_t chains_cap;
    struct laz_seen_list seen;
    struct laz_verify_lines lines;
};

const char *laz_completeness_name(enum laz_completeness completeness)
{
    static const char *const names[] = {
            [LAZ_COMPLETE_CLOSED] = "closed",
            [LAZ_COMPLETE_GAP] = "gap",
            [LAZ_COMPLETE_OPEN] = "open",
            [LAZ_COMPLETE_HEADLESS] = "headless",
            [LAZ_COMPLETE_TRUNCATED] = "truncated",
    };
    return names[completeness];
}

struct laz_verify *laz_verify_new(void)
{
    return calloc(1, sizeof(struct laz_verify));
}

void laz_verify_free(struct laz_verify *verify)
{
    if (verify != NULL) {
        free(verify->entries);
        free(verify->verdicts);
        free(verify->seen.items);
        free(verify);
    }
}

static int no_memory(struct laz_err *err)
{
    return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory to verify");
}

/* The chain's index, or -1. Looked for from the last one on: records of a chain come together. */
static int64_t find_chain(struct laz_verify *verify, const uint8_t id[LAZ_CHAIN_ID_SIZE])
{
    for (size_t i = verify->n_chains; i > 0; i--) {
        if (memcmp(verify->verdicts[i - 1].id, id, LAZ_CHAIN_ID_SIZE) == 0) {
            return (int64_t)i - 1;
        }
    }
    return -1;
}

static int64_t add_chain(struct laz_verify *verify, const uint8_t id[LAZ_CHAIN_ID_SIZE])
{
    if (verify->n_chains == verify->chains_cap) {
        size_t cap = verify->chains_cap == 0 ? 16 : 2 * verify->chains_cap;
        struct laz_chain_verdict *grown = reallocarray(verify->verdicts, cap, sizeof(*grown));
        if (grown == NULL || cap > UINT32_MAX) {
            verify->verdicts = grown == NULL ? verify->verdicts : grown;
            return -1;
        }
        verify->verdicts = grown;
        verify->chains_cap = cap;
    }
    struct laz_chain_verdict *verdict = &verify->verdicts[verify->n_chains];
    *verdict = (struct laz_chain_verdict){0};
    (void)memcpy(verdict->id, id, LAZ_CHAIN_ID_SIZE);
    return (int64_t)verify->n_chains++;
}

static int add_record(struct laz_verify *verify, struct laz_span record,
        const struct laz_trail_line *line, struct laz_err *err)
{
    if (verify->n == verify->cap) {
        size_t cap = verify->cap == 0 ? 1024 : 2 * verify->cap;
        struct laz_entry *grown = reallocarray(verify->entries, cap, sizeof(*grown));
        if (grown == NULL) {
            return no_memory(err);
        }
        verify->entries = grown;
        verify->cap = cap;
    }
    int64_t chain = find_chain(verify, line->chain);
    chain = chain >= 0 ? chain : add_chain(verify, line->chain);
    if (chain < 0) {
        return no_memory(err);
    }
    verify->entries[verify->n++] =
            (struct laz_entry){.record = record, .seq = line->seq, .chain = (uint32_t)chain};
    return 0;
}

static int add_line(struct laz_verify *verify, const char *text, size_t length, struct laz_err *err)
{
    struct laz_trail_line line;
    struct laz_span record = laz_trail_find(text, length);
    if (record.length == 0) {
        verify->lines.foreign++;
        return 0;
    }
    if (laz_trail_parse(record, &line)) {
        return add_record(verify, record, &line, err);
    }
    if (laz_trail_is_unchained(record)) {
        verify->lines.unchained++;
    } else {
        verify->lines.malformed++;
    }
    return 0;
}

int laz_verify_add(struct laz_verify *verify, const char *text, size_t length, struct laz_err *err)
{
    const char *end = text + length;
    while (text < end) {
        const char *feed = memchr(text, '\n', (size_t)(end - text));
        const char *stop = feed != NULL ? feed : end;
        if (stop > text && add_line(verify, text, (size_t)(stop - text), err) < 0) {
            return -1;
        }
        text = stop + 1;
    }
    return 0;
}

int laz_verify_anchor(struct laz_verify *verify, const struct laz_place *seen, struct laz_err *err)
{
    laz_seen_add(&verify->seen, &(struct laz_seen){.place = *seen});
    return verify->seen.failed ? no_memory(err) : 0;
}

static int by_place(const void *a, const void *b)
{
    const struct laz_entry *left = a;
    const struct laz_entry *right = b;
    if (left->chain != right->chain) {
        return left->chain < right->chain ? -1 : 1;
    }
    if (left->seq != right->seq) {
        return left->seq < right->seq ? -1 : 1;
    }
    return left->order < right->order ? -1 : 1;
}

static void sort_entries(struct laz_verify *verify)
{
    bool is_sorted = true;
    for (size_t i = 0; i < verify->n; i++) {
        verify->entries[i].order = (uint32_t)i;
        is_sorted =
                is_sorted && (i == 0 || by_place(&verify->entries[i - 1], &verify->entries[i]) < 0);
    }
    if (!is_sorted) {
        qsort(verify->entries, verify->n, sizeof(verify->entries[0]), by_place);
    }
}

/* Each place once: a repetition is dropped, a second story is a fork. */
static void drop_repeated(struct laz_verify *verify)
{
    size_t kept = 0;
    for (size_t i = 0; i < verify->n; i++) {
        const struct laz_entry *entry = &verify->entries[i];
        const struct laz_entry *last = kept == 0 ? NULL : &verify->entries[kept - 1];
        if (last == NULL || last->chain != entry->chain || last->seq != entry->seq) {
            verify->entries[kept++] = *entry;
        } else if (last->record.length == entry->record.length &&
                memcmp(last->record.at, entry->record.at, last->record.length) == 0) {
            verify->lines.repeated++;
        } else {
            laz_verdict_fork(&verify->verdicts[entry->chain], entry->seq);
        }
    }
    verify->n = kept;
}

static const struct laz_entry *find_entry(
        const struct laz_verify *verify, int64_t chain, uint64_t seq)
{
    const struct laz_entry wanted = {.chain = (uint32_t)chain, .seq = seq};
    size_t low = 0;
    size_t high = verify->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct laz_entry *entry = &verify->entries[middle];
        bool is_before = entry->chain < wanted.chain ||
                (entry->chain == wanted.chain && entry->seq < wanted.seq);
        low = is_before ? middle + 1 : low;
        high = is_before ? high : middle;
    }
    if (low == verify->n || verify->entries[low].chain != wanted.chain ||
            verify->entries[low].seq != seq) {
        return NULL;
    }
    return &verify->entries[low];
}

/* Is what somebody has seen still there? */
static void check_seen(struct laz_verify *verify, size_t i)
{
    const struct laz_seen *seen = &verify->seen.items[i];
    int64_t chain = find_chain(verify, seen->place.chain);
    if (chain < 0) {
        return; /* of a chain that nobody has brought */
    }
    struct laz_chain_verdict *verdict = &verify->verdicts[chain];
    const struct laz_entry *entry = find_entry(verify, chain, seen->place.seq);
    struct laz_trail_line line;
    if (entry == NULL) {
        laz_verdict_incomplete(verdict, LAZ_COMPLETE_TRUNCATED);
    } else if (!laz_trail_parse(entry->record, &line) || line.kind == LAZ_TRAIL_LOG ||
            memcmp(line.h, seen->place.h, sizeof(line.h)) != 0) {
        laz_verdict_fork(verdict, seen->place.seq);
    }
    for (size_t j = 0; j < i && seen->is_continued; j++) {
        const struct laz_seen *other = &verify->seen.items[j];
        if (other->is_continued && other->place.seq == seen->place.seq &&
                memcmp(other->place.chain, seen->place.chain, LAZ_CHAIN_ID_SIZE) == 0) {
            laz_verdict_fork(verdict, seen->place.seq);
        }
    }
}

static int by_id(const void *a, const void *b)
{
    const struct laz_chain_verdict *left = a;
    const struct laz_chain_verdict *right = b;
    return memcmp(left->id, right->id, sizeof(left->id));
}

static int walk_all(struct laz_verify *verify, struct laz_hasher *hasher, struct laz_hasher *block,
        struct laz_err *err)
{
    for (size_t first = 0; first < verify->n;) {
        size_t end = first;
        while (end < verify->n && verify->entries[end].chain == verify->entries[first].chain) {
            end++;
        }
        if (laz_walk_chain(hasher, block, &verify->entries[first], end - first,
                    &verify->verdicts[verify->entries[first].chain], &verify->seen, err) < 0) {
            return -1;
        }
        first = end;
    }
    return 0;
}

int laz_verify_run(struct laz_verify *verify, struct laz_err *err)
{
    struct laz_hasher *hasher = laz_hasher_new();
    struct laz_hasher *block = laz_hasher_new();
    int result = -1;
    if (hasher == NULL || block == NULL || verify->n > UINT32_MAX) {
        (void)no_memory(err);
    } else {
        sort_entries(verify);
        drop_repeated(verify);
        result = walk_all(verify, hasher, block, err);
    }
    laz_hasher_free(hasher);
    laz_hasher_free(block);
    if (result < 0) {
        return -1;
    }
    for (size_t i = 0; i < verify->seen.n; i++) {
        check_seen(verify, i);
    }
    if (verify->n_chains > 0) {
        qsort(verify->verdicts, verify->n_chains, sizeof(verify->verdicts[0]), by_id);
    }
    return 0;
}

size_t laz_verify_count(const struct laz_verify *verify)
{
    return verify->n_chains;
}

const struct laz_chain_verdict *laz_verify_at(const struct laz_verify *verify, size_t i)
{
    return &verify->verdicts[i];
}

void laz_verify_lines(const struct laz_verify *verify, struct laz_verify_lines *ret)
{
    *ret = verify->lines;
}
