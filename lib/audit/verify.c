/* SPDX-License-Identifier: Apache-2.0
 *
 * Collects the records of all chains, puts them in order, and holds the chains against each other.
 */
#include "audit/verify.h"

#include <stdlib.h>

#include "audit/walk.h"
#include "core/json.h"

struct laz_verify {
    struct laz_entry *entries;
    size_t n;
    size_t cap;
    struct laz_chain_verdict *verdicts;
    size_t n_chains;
    size_t chains_cap;
    struct laz_seen_list seen;
    struct laz_verify_lines lines;
    bool without_logs;
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
    struct laz_entry *entry = &verify->entries[verify->n];
    *entry = (struct laz_entry){.record = record, .seq = line->seq, .order = verify->n};
    (void)memcpy(entry->chain, line->chain, sizeof(entry->chain));
    (void)memcpy(entry->h, line->h, sizeof(entry->h));
    entry->is_log = line->kind == LAZ_TRAIL_LOG;
    verify->n++;
    return 0;
}

static bool is_utf8(struct laz_span text)
{
    for (size_t i = 0; i < text.length;) {
        uint64_t word = 0;
        if (text.length - i >= sizeof(word)) {
            (void)memcpy(&word, text.at + i, sizeof(word));
            if ((word & UINT64_C(0x8080808080808080)) == 0) {
                i += sizeof(word);
                continue;
            }
        }
        size_t n = laz_utf8_length(text.at + i, text.length - i);
        if (n == 0) {
            return false;
        }
        i += n;
    }
    return true;
}

/* As lib/sink/ocsf.h has it. */
static bool is_rendering(const char *text, size_t length)
{
    static const char start[] = "{\"metadata\":{\"product\":{\"name\":\"Lazaret\",";
    return length >= sizeof(start) - 1 && memcmp(text, start, sizeof(start) - 1) == 0;
}

static int add_line(struct laz_verify *verify, const char *text, size_t length, struct laz_err *err)
{
    struct laz_trail_line line;
    struct laz_span record = laz_trail_find(text, length);
    if (record.length == 0) {
        verify->lines.foreign++;
        verify->lines.rendered += is_rendering(text, length) ? 1 : 0;
        return 0;
    }
    bool is_text = is_utf8(record);
    if (is_text && laz_trail_parse(record, &line)) {
        return add_record(verify, record, &line, err);
    }
    if (is_text && laz_trail_is_unchained(record)) {
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

void laz_verify_without_logs(struct laz_verify *verify)
{
    verify->without_logs = true;
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
    int chains = memcmp(left->chain, right->chain, sizeof(left->chain));
    if (chains != 0) {
        return chains;
    }
    if (left->seq != right->seq) {
        return left->seq < right->seq ? -1 : 1;
    }
    return left->order < right->order ? -1 : 1;
}

static int by_seen(const void *a, const void *b)
{
    const struct laz_place *left = &((const struct laz_seen *)a)->place;
    const struct laz_place *right = &((const struct laz_seen *)b)->place;
    int chains = memcmp(left->chain, right->chain, LAZ_CHAIN_ID_SIZE);
    if (chains != 0) {
        return chains;
    }
    return left->seq < right->seq ? -1 : left->seq > right->seq ? 1 : 0;
}

static void sort_entries(struct laz_verify *verify)
{
    bool is_sorted = true;
    for (size_t i = 1; i < verify->n; i++) {
        is_sorted = is_sorted && by_place(&verify->entries[i - 1], &verify->entries[i]) < 0;
    }
    if (!is_sorted) {
        qsort(verify->entries, verify->n, sizeof(verify->entries[0]), by_place);
    }
}

static int add_verdict(struct laz_verify *verify, const uint8_t id[LAZ_CHAIN_ID_SIZE],
        struct laz_chain_verdict **ret, struct laz_err *err)
{
    if (verify->n_chains == verify->chains_cap) {
        size_t cap = verify->chains_cap == 0 ? 16 : 2 * verify->chains_cap;
        struct laz_chain_verdict *grown = reallocarray(verify->verdicts, cap, sizeof(*grown));
        if (grown == NULL) {
            return no_memory(err);
        }
        verify->verdicts = grown;
        verify->chains_cap = cap;
    }
    struct laz_chain_verdict *verdict = &verify->verdicts[verify->n_chains++];
    *verdict = (struct laz_chain_verdict){0};
    (void)memcpy(verdict->id, id, LAZ_CHAIN_ID_SIZE);
    *ret = verdict;
    return 0;
}

/* How many of the entries from `first` on are of its chain, each place once: repetitions are
 * dropped, a second story is a fork. ret_end is behind the last of the chain. */
static size_t drop_repeated(
        struct laz_verify *verify, size_t first, struct laz_chain_verdict *verdict, size_t *ret_end)
{
    struct laz_entry *entries = verify->entries;
    size_t kept = first;
    size_t i = first + 1;
    for (; i < verify->n && memcmp(entries[i].chain, entries[first].chain, LAZ_CHAIN_ID_SIZE) == 0;
            i++) {
        const struct laz_span *last = &entries[kept].record;
        if (entries[i].seq != entries[kept].seq) {
            entries[++kept] = entries[i];
        } else if (last->length == entries[i].record.length &&
                memcmp(last->at, entries[i].record.at, last->length) == 0) {
            verify->lines.repeated++;
        } else {
            laz_verdict_fork(verdict, entries[i].seq);
        }
    }
    *ret_end = i;
    return kept - first + 1;
}

/* Is what somebody has seen still there? entries: of the chain, n of them. */
static void check_seen(struct laz_chain_verdict *verdict, const struct laz_entry *entries, size_t n,
        const struct laz_place *seen)
{
    size_t low = 0;
    size_t high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        bool is_before = entries[middle].seq < seen->seq;
        low = is_before ? middle + 1 : low;
        high = is_before ? high : middle;
    }
    if (low == n || entries[low].seq != seen->seq) {
        laz_verdict_incomplete(verdict, LAZ_COMPLETE_TRUNCATED);
    } else if (entries[low].is_log || memcmp(entries[low].h, seen->h, sizeof(seen->h)) != 0) {
        laz_verdict_fork(verdict, seen->seq);
    }
}

/* What the auditor and other chains know of this one: n_seen of the sorted list. */
static void check_all_seen(struct laz_chain_verdict *verdict, const struct laz_entry *entries,
        size_t n, const struct laz_seen *seen, size_t n_seen)
{
    const struct laz_seen *continued = NULL;
    for (size_t i = 0; i < n_seen; i++) {
        check_seen(verdict, entries, n, &seen[i].place);
        if (!seen[i].is_continued) {
            continue;
        }
        if (continued != NULL) {
            laz_verdict_fork(verdict, continued->place.seq);
        }
        continued = continued != NULL ? continued : &seen[i];
    }
}

/* A chain of which nothing is there is worth a verdict if the auditor knows it, or two continue it.
 */
static bool is_worth_a_verdict(const struct laz_seen *seen, size_t n)
{
    return n > 1 || !seen[0].is_continued;
}

static size_t count_of_chain(const struct laz_seen_list *seen, size_t first)
{
    size_t n = 1;
    while (first + n < seen->n &&
            memcmp(seen->items[first].place.chain, seen->items[first + n].place.chain,
                    LAZ_CHAIN_ID_SIZE) == 0) {
        n++;
    }
    return n;
}

/* The entries of a chain: [first, first + n) of all. */
struct part {
    size_t first;
    size_t n;
};

/* Everything that somebody has seen, against the chain that it is of. Both lists are sorted. */
static int compare_chains(
        struct laz_verify *verify, const struct part *parts, size_t n_parts, struct laz_err *err)
{
    struct laz_seen_list *seen = &verify->seen;
    if (seen->n > 0) {
        qsort(seen->items, seen->n, sizeof(seen->items[0]), by_seen);
    }
    size_t chain = 0;
    for (size_t i = 0; i < seen->n;) {
        size_t n = count_of_chain(seen, i);
        const uint8_t *id = seen->items[i].place.chain;
        while (chain < n_parts && memcmp(verify->verdicts[chain].id, id, LAZ_CHAIN_ID_SIZE) < 0) {
            chain++;
        }
        if (chain < n_parts && memcmp(verify->verdicts[chain].id, id, LAZ_CHAIN_ID_SIZE) == 0) {
            check_all_seen(&verify->verdicts[chain], &verify->entries[parts[chain].first],
                    parts[chain].n, &seen->items[i], n);
        } else if (is_worth_a_verdict(&seen->items[i], n)) {
            struct laz_chain_verdict *verdict = NULL;
            if (add_verdict(verify, id, &verdict, err) < 0) {
                return -1;
            }
            check_all_seen(verdict, NULL, 0, &seen->items[i], n);
        }
        i += n;
    }
    return 0;
}

static int walk_all(struct laz_verify *verify, const struct laz_walk_tools *tools,
        struct part *parts, struct laz_err *err)
{
    for (size_t first = 0; first < verify->n;) {
        struct laz_chain_verdict *verdict = NULL;
        if (add_verdict(verify, verify->entries[first].chain, &verdict, err) < 0) {
            return -1;
        }
        size_t end = first;
        size_t n = drop_repeated(verify, first, verdict, &end);
        parts[verify->n_chains - 1] = (struct part){.first = first, .n = n};
        if (laz_walk_chain(tools, &verify->entries[first], n, verdict, err) < 0) {
            return -1;
        }
        first = end;
    }
    return compare_chains(verify, parts, verify->n_chains, err);
}

static size_t count_chains(const struct laz_verify *verify)
{
    size_t n = 0;
    for (size_t i = 0; i < verify->n; i++) {
        n += i == 0 ||
                memcmp(verify->entries[i - 1].chain, verify->entries[i].chain, LAZ_CHAIN_ID_SIZE) !=
                        0;
    }
    return n;
}

static int by_id(const void *a, const void *b)
{
    const struct laz_chain_verdict *left = a;
    const struct laz_chain_verdict *right = b;
    return memcmp(left->id, right->id, sizeof(left->id));
}

int laz_verify_run(struct laz_verify *verify, struct laz_err *err)
{
    sort_entries(verify);
    struct laz_hasher *hasher = laz_hasher_new();
    struct laz_hasher *block = laz_hasher_new();
    struct part *parts = calloc(count_chains(verify) + 1, sizeof(*parts));
    int result = -1;
    if (hasher == NULL || block == NULL || parts == NULL) {
        (void)no_memory(err);
    } else {
        const struct laz_walk_tools tools = {.hasher = hasher,
                .block = block,
                .seen = &verify->seen,
                .without_logs = verify->without_logs};
        result = walk_all(verify, &tools, parts, err);
    }
    laz_hasher_free(hasher);
    laz_hasher_free(block);
    free(parts);
    if (verify->n_chains > 0) {
        qsort(verify->verdicts, verify->n_chains, sizeof(verify->verdicts[0]), by_id);
    }
    return result;
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
