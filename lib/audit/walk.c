/* SPDX-License-Identifier: Apache-2.0
 *
 * The rules of a chain, one record after the other: hash and link, key and epoch, blocks and gaps.
 */
#include "audit/walk.h"

#include <stdlib.h>

#include "audit/packed.h"

struct walk {
    struct laz_hasher *hasher;
    struct laz_hasher *block;
    struct laz_chain_verdict *verdict;
    struct laz_seen_list *seen;
    const struct laz_entry *entries;
    size_t n;
    struct laz_err *err;
    bool knows_before; /* the hash before is known: not in front of the first record */
    uint8_t before[LAZ_SHA256_SIZE];
    bool knows_key;
    uint8_t key[LAZ_PUBLIC_KEY_SIZE];
    uint64_t epoch;       /* that is due; known with the key */
    uint64_t signed_seq;  /* of the last signature */
    bool knows_signature; /* there was one */
    bool is_closed;
    bool is_lost_known; /* all gaps since the genesis have been seen */
    uint64_t lost;
    bool has_open_logs; /* log records, there or missing, that no block has covered yet */
    struct laz_range open_logs;
    bool has_open_missing;
    uint64_t open_bytes;
    struct laz_span middle; /* of the log record before this one, of those that are open */
    bool knows_open;        /* where log records begin that no block has covered */
    bool has_gap;
    bool without_logs;         /* as the auditor says, and so far nothing says otherwise */
    struct laz_seen continues; /* what the genesis says; is_continued is false if nothing */
    uint64_t *chained;         /* of each entry: how many in front of it are chained */
    struct laz_ranges missing;
    struct laz_ranges named; /* by gaps */
};

static void break_verdict(struct laz_chain_verdict *verdict, uint64_t seq, const char *why)
{
    if (verdict->integrity == LAZ_INTEGRITY_OK || seq < verdict->broken_seq) {
        verdict->integrity = LAZ_INTEGRITY_BROKEN;
        verdict->broken_seq = seq;
        verdict->broken_why = why;
    }
}

void laz_verdict_fork(struct laz_chain_verdict *verdict, uint64_t seq)
{
    if (verdict->uniqueness == LAZ_UNIQUE_SINGLE || seq < verdict->forked_seq) {
        verdict->uniqueness = LAZ_UNIQUE_FORKED;
        verdict->forked_seq = seq;
    }
}

void laz_verdict_incomplete(struct laz_chain_verdict *verdict, enum laz_completeness what)
{
    if (what > verdict->completeness) {
        verdict->completeness = what;
    }
}

static void ranges_add(struct laz_ranges *ranges, uint64_t first, uint64_t last)
{
    if (ranges->n == ranges->cap && !ranges->failed) {
        size_t cap = ranges->cap == 0 ? 16 : 2 * ranges->cap;
        struct laz_range *items = reallocarray(ranges->items, cap, sizeof(*items));
        ranges->failed = items == NULL;
        ranges->items = items == NULL ? ranges->items : items;
        ranges->cap = items == NULL ? ranges->cap : cap;
    }
    if (!ranges->failed) {
        ranges->items[ranges->n++] = (struct laz_range){.first = first, .last = last};
    }
}

void laz_seen_add(struct laz_seen_list *list, const struct laz_seen *seen)
{
    if (list->n == list->cap && !list->failed) {
        size_t cap = list->cap == 0 ? 16 : 2 * list->cap;
        struct laz_seen *items = reallocarray(list->items, cap, sizeof(*items));
        list->failed = items == NULL;
        list->items = items == NULL ? list->items : items;
        list->cap = items == NULL ? list->cap : cap;
    }
    if (!list->failed) {
        list->items[list->n++] = *seen;
    }
}

/* ---- What the members say ---- */

static bool read_anchor(struct laz_trail_reader *reader, struct laz_place *ret)
{
    struct laz_span sink;
    return laz_trail_read_text(reader, "{") && laz_trail_read_string(reader, "sink", &sink) &&
            laz_trail_read_u64(reader, "seq", &ret->seq) &&
            laz_trail_read_hex(reader, "h", ret->h, sizeof(ret->h)) &&
            laz_trail_read_text(reader, "}");
}

/* Binary search: the first entry that is not in front of this place. */
static size_t find_place(const struct walk *walk, uint64_t seq)
{
    size_t low = 0;
    size_t high = walk->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (walk->entries[middle].seq < seq) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* An anchor of this chain's own: the record that it names must be the one that is there. */
static void check_anchor(struct walk *walk, const struct laz_place *anchor)
{
    size_t at = find_place(walk, anchor->seq);
    const struct laz_entry *entry = &walk->entries[at];
    if (at < walk->n && entry->seq == anchor->seq &&
            (entry->is_log || memcmp(entry->h, anchor->h, sizeof(entry->h)) != 0)) {
        laz_verdict_fork(walk->verdict, anchor->seq);
    }
}

static bool read_anchors(struct walk *walk, struct laz_trail_reader *reader, uint64_t seq)
{
    if (!laz_trail_read_text(reader, ",\"anchors\":[")) {
        return false;
    }
    bool first = true;
    while (!laz_trail_read_text(reader, "]")) {
        struct laz_place anchor;
        if ((!first && !laz_trail_read_text(reader, ",")) || !read_anchor(reader, &anchor)) {
            return false;
        }
        if (anchor.seq >= seq) {
            break_verdict(walk->verdict, seq, "an anchor names what is not before it");
        }
        check_anchor(walk, &anchor);
        first = false;
    }
    return true;
}

static const char *check_signature(
        const struct laz_trail_line *line, const uint8_t key[LAZ_PUBLIC_KEY_SIZE])
{
    return laz_signature_holds(key, line->h, line->signature) ? NULL : "the signature is wrong";
}

/* A SHA-256, or nothing. */
static bool read_digest(struct laz_trail_reader *reader, const char *key)
{
    uint8_t digest[LAZ_SHA256_SIZE];
    struct laz_span text;
    return laz_trail_read_hex(reader, key, digest, sizeof(digest)) ||
            (laz_trail_read_string(reader, key, &text) && text.length == 0);
}

/* Each of these returns what is wrong, or NULL. */
static const char *on_genesis(struct walk *walk, const struct laz_trail_line *line)
{
    struct laz_trail_reader reader;
    struct laz_span ignored;
    uint64_t format = 0;
    struct laz_seen before = {.is_continued = true};
    laz_trail_read_begin(&reader, line->members);
    if (!laz_trail_read_u64(&reader, "format", &format) || format != 1 ||
            !laz_trail_read_string(&reader, "boot", &ignored) || !read_digest(&reader, "policy") ||
            !read_digest(&reader, "binary") ||
            !laz_trail_read_hex(&reader, "pk", walk->key, sizeof(walk->key))) {
        return "a genesis has other members";
    }
    if (!laz_trail_read_text(&reader, ",\"before\":null")) {
        if (!laz_trail_read_text(&reader, ",\"before\":{") ||
                !laz_trail_read_hex(
                        &reader, "chain", before.place.chain, sizeof(before.place.chain)) ||
                !laz_trail_read_u64(&reader, "seq", &before.place.seq) ||
                !laz_trail_read_hex(&reader, "h", before.place.h, sizeof(before.place.h)) ||
                !laz_trail_read_text(&reader, "}")) {
            return "a genesis has other members";
        }
        walk->continues = before;
    }
    if (!laz_trail_read_done(&reader)) {
        return "a genesis has other members";
    }
    walk->knows_key = true;
    walk->knows_signature = true;
    walk->is_lost_known = true;
    return check_signature(line, walk->key);
}

static const char *on_checkpoint(struct walk *walk, const struct laz_trail_line *line)
{
    struct laz_trail_reader reader;
    uint64_t epoch = 0;
    uint64_t records = 0;
    uint64_t lost = 0;
    uint8_t next[LAZ_PUBLIC_KEY_SIZE];
    laz_trail_read_begin(&reader, line->members);
    if (!laz_trail_read_u64(&reader, "epoch", &epoch) ||
            !laz_trail_read_u64(&reader, "records", &records) ||
            !laz_trail_read_u64(&reader, "lost", &lost) ||
            !read_anchors(walk, &reader, line->seq) ||
            !laz_trail_read_hex(&reader, "pk", next, sizeof(next)) ||
            !laz_trail_read_done(&reader)) {
        return "a checkpoint has other members";
    }
    if (walk->has_open_logs) {
        return "log records in front of a checkpoint are in no block";
    }
    if (walk->knows_signature && records != line->seq - walk->signed_seq - 1) {
        return "a checkpoint counts other records";
    }
    if (walk->is_lost_known && lost != walk->lost) {
        return "a checkpoint counts other losses";
    }
    walk->knows_open = true;
    const char *why = NULL;
    if (walk->knows_key) {
        why = epoch != walk->epoch ? "another epoch is due" : check_signature(line, walk->key);
    }
    walk->epoch = epoch + 1;
    walk->lost = lost;
    walk->is_lost_known = true;
    walk->knows_key = true;
    walk->knows_signature = true;
    walk->signed_seq = line->seq;
    (void)memcpy(walk->key, next, sizeof(next));
    return why;
}

static const char *on_final(struct walk *walk, const struct laz_trail_line *line)
{
    struct laz_trail_reader reader;
    uint64_t epoch = 0;
    uint64_t exit_code = 0;
    uint64_t records = 0;
    uint64_t lost = 0;
    walk->is_closed = true;
    laz_trail_read_begin(&reader, line->members);
    if (!laz_trail_read_u64(&reader, "epoch", &epoch) ||
            !laz_trail_read_u64(&reader, "exit", &exit_code) ||
            !laz_trail_read_u64(&reader, "records", &records) ||
            !laz_trail_read_u64(&reader, "lost", &lost) ||
            !read_anchors(walk, &reader, line->seq) || !laz_trail_read_done(&reader)) {
        return "a final record has other members";
    }
    if (walk->has_open_logs) {
        return "log records in front of the final record are in no block";
    }
    if (records != line->seq + 1) {
        return "the final record counts other records";
    }
    if (walk->is_lost_known && lost != walk->lost) {
        return "the final record counts other losses";
    }
    if (walk->knows_key && epoch != walk->epoch) {
        return "another epoch is due";
    }
    walk->knows_signature = true;
    walk->signed_seq = line->seq;
    return walk->knows_key ? check_signature(line, walk->key) : NULL;
}

static bool is_chained(const struct walk *walk, size_t at, uint64_t seq)
{
    return walk->entries[at].seq == seq && walk->chained[at + 1] > walk->chained[at];
}

/* The log records that a gap names: all places of the range but those of chained records, and its
 * ends are two of them. What lies in front of a headless trail's first record is anybody's guess.
 */
static const char *check_range(
        const struct walk *walk, const struct laz_range *range, uint64_t count)
{
    if (range->first < walk->entries[0].seq) {
        return NULL;
    }
    size_t first = find_place(walk, range->first);
    size_t last = find_place(walk, range->last); /* the gap itself lies behind it */
    uint64_t chained = walk->chained[last] - walk->chained[first];
    bool agrees = !is_chained(walk, first, range->first) && !is_chained(walk, last, range->last) &&
            count == range->last - range->first + 1 - chained;
    return agrees ? NULL : "a gap counts other records";
}

static const char *on_gap(struct walk *walk, const struct laz_trail_line *line)
{
    struct laz_trail_reader reader;
    struct laz_range range = {0};
    uint64_t count = 0;
    uint64_t bytes = 0;
    struct laz_span why;
    laz_trail_read_begin(&reader, line->members);
    if (!laz_trail_read_u64(&reader, "first", &range.first) ||
            !laz_trail_read_u64(&reader, "last", &range.last) ||
            !laz_trail_read_u64(&reader, "count", &count) ||
            !laz_trail_read_u64(&reader, "bytes", &bytes) ||
            !laz_trail_read_string(&reader, "why", &why) || !laz_trail_read_done(&reader)) {
        return "a gap has other members";
    }
    if (range.first > range.last || range.last >= line->seq ||
            (range.first == 0 && range.last > 0)) { /* place 0 is the genesis' */
        return "a gap names what is not before it";
    }
    walk->has_gap = walk->has_gap || count > 0 || bytes > 0;
    if (__builtin_add_overflow(walk->lost, count, &walk->lost)) {
        return "a gap counts other records";
    }
    if (range.last == 0) {
        return NULL;
    }
    ranges_add(&walk->named, range.first, range.last);
    return check_range(walk, &range, count);
}

/* How many of a block's log records are there. */
static uint64_t count_logs(
        const struct walk *walk, const struct laz_trail_line *line, const struct laz_range *range)
{
    size_t first = find_place(walk, range->first);
    size_t end = find_place(walk, range->last < line->seq ? range->last + 1 : line->seq);
    return end <= first ? 0 : end - first - (walk->chained[end] - walk->chained[first]);
}

static const char *on_block(struct walk *walk, const struct laz_trail_line *line)
{
    struct laz_trail_reader reader;
    struct laz_range range = {0};
    uint64_t bytes = 0;
    uint8_t wanted[LAZ_SHA256_SIZE];
    uint8_t seen[LAZ_SHA256_SIZE];
    laz_trail_read_begin(&reader, line->members);
    if (!laz_trail_read_u64(&reader, "first", &range.first) ||
            !laz_trail_read_u64(&reader, "last", &range.last) ||
            !laz_trail_read_u64(&reader, "bytes", &bytes) ||
            !laz_trail_read_hex(&reader, "sha256", wanted, sizeof(wanted)) ||
            !laz_trail_read_done(&reader)) {
        return "a block has other members";
    }
    /* the first one of a headless trail may cover what came before */
    bool is_headless = walk->entries[0].seq > 0 && !walk->knows_open;
    bool covers = walk->has_open_logs && range.first == walk->open_logs.first &&
            range.last == walk->open_logs.last;
    bool is_whole = covers && !walk->has_open_missing;
    bool had_logs = walk->has_open_logs;
    uint64_t open_bytes = walk->open_bytes;
    walk->knows_open = true;
    walk->has_open_logs = false;
    walk->has_open_missing = false;
    walk->open_bytes = 0;
    if (!covers && !is_headless) {
        return "a block covers other log records";
    }
    if (!is_whole) {
        walk->verdict->unvouched += count_logs(walk, line, &range);
        return NULL;
    }
    if (had_logs && laz_hasher_end(walk->block, seen, walk->err) < 0) {
        return NULL; /* err tells */
    }
    return open_bytes == bytes && memcmp(seen, wanted, sizeof(seen)) == 0
            ? NULL
            : "the log records of a block are not those that it hashed";
}

static void open_logs(struct walk *walk, uint64_t first, uint64_t last)
{
    if (!walk->has_open_logs) {
        walk->has_open_logs = true;
        walk->open_logs.first = first;
        walk->middle.length = 0;
        laz_hasher_begin(walk->block);
    }
    walk->open_logs.last = last;
}

static void on_log(struct walk *walk, const struct laz_trail_line *line)
{
    struct laz_packed packed = {.seq = line->seq, .middle = line->middle, .members = line->members};
    walk->without_logs = false;
    open_logs(walk, line->seq, line->seq);
    if (walk->middle.length > 0 && walk->middle.length == line->middle.length &&
            memcmp(walk->middle.at, line->middle.at, line->middle.length) == 0) {
        packed.middle.length = 0;
    }
    walk->middle = line->middle;
    walk->open_bytes += laz_packed_hash(walk->block, &packed);
}

/* ---- The walk ---- */

static const char *check_link(struct walk *walk, const struct laz_trail_line *line)
{
    uint8_t h[LAZ_SHA256_SIZE];
    if (!walk->knows_before) {
        return NULL;
    }
    if (memcmp(line->prev, walk->before, sizeof(line->prev)) != 0) {
        return "a chained record before it is missing or another";
    }
    if (laz_trail_hash(walk->hasher, line, walk->before, h, walk->err) < 0) {
        return NULL; /* err tells */
    }
    return memcmp(h, line->h, sizeof(h)) == 0 ? NULL : "the hash is wrong";
}

static const char *on_kind(struct walk *walk, const struct laz_trail_line *line)
{
    switch (line->kind) {
    case LAZ_TRAIL_GENESIS:
        return on_genesis(walk, line);
    case LAZ_TRAIL_CHECKPOINT:
        return on_checkpoint(walk, line);
    case LAZ_TRAIL_FINAL:
        return on_final(walk, line);
    case LAZ_TRAIL_GAP:
        return on_gap(walk, line);
    case LAZ_TRAIL_BLOCK:
        return on_block(walk, line);
    case LAZ_TRAIL_EVENT:
    case LAZ_TRAIL_LOG:
    case LAZ_TRAIL_KIND_COUNT:
        break;
    }
    return NULL;
}

static void walk_one(struct walk *walk, const struct laz_entry *entry)
{
    struct laz_trail_line line;
    size_t at = (size_t)(entry - walk->entries);
    walk->chained[at + 1] = walk->chained[at];
    if (!laz_trail_parse(entry->record, &line)) {
        break_verdict(walk->verdict, entry->seq, "not a record"); /* it was one before */
        return;
    }
    walk->verdict->last_when = line.when;
    if ((line.seq == 0) != (line.kind == LAZ_TRAIL_GENESIS)) {
        break_verdict(walk->verdict, line.seq,
                line.seq == 0 ? "the first record is no genesis" : "a genesis is the first record");
    }
    if (walk->is_closed) {
        break_verdict(walk->verdict, line.seq, "a record behind the final one");
    }
    walk->chained[at + 1] = walk->chained[at] + (line.kind == LAZ_TRAIL_LOG ? 0 : 1);
    if (line.kind == LAZ_TRAIL_LOG) {
        on_log(walk, &line);
        return;
    }
    const char *why = check_link(walk, &line);
    bool is_genesis = line.kind == LAZ_TRAIL_GENESIS;
    const char *other = on_kind(walk, &line);
    why = why != NULL ? why : other;
    if (why != NULL) {
        break_verdict(walk->verdict, line.seq, why);
    } else if (is_genesis && line.seq == 0 && walk->continues.is_continued) {
        laz_seen_add(walk->seen, &walk->continues);
    }
    walk->knows_before = true;
    (void)memcpy(walk->before, line.h, sizeof(line.h));
}

static int by_first(const void *a, const void *b)
{
    const struct laz_range *left = a;
    const struct laz_range *right = b;
    return left->first < right->first ? -1 : left->first > right->first ? 1 : 0;
}

/* What is missing and not named. */
static uint64_t count_unnamed(struct laz_ranges *missing, struct laz_ranges *named)
{
    uint64_t unnamed = 0;
    size_t at = 0;
    if (named->n > 0) {
        qsort(named->items, named->n, sizeof(named->items[0]), by_first);
    }
    for (size_t i = 0; i < missing->n; i++) {
        uint64_t seq = missing->items[i].first;
        uint64_t end = missing->items[i].last + 1;
        while (seq < end) {
            while (at < named->n && named->items[at].last < seq) {
                at++;
            }
            if (at == named->n || named->items[at].first >= end) {
                unnamed += end - seq;
                break;
            }
            if (named->items[at].first > seq) {
                unnamed += named->items[at].first - seq;
            }
            seq = named->items[at].last + 1;
        }
    }
    return unnamed;
}

static void conclude(struct walk *walk)
{
    struct laz_chain_verdict *verdict = walk->verdict;
    verdict->lost = walk->lost;
    uint64_t unnamed = count_unnamed(&walk->missing, &walk->named);
    verdict->missing = walk->without_logs ? 0 : unnamed;
    verdict->unjudged = walk->without_logs ? unnamed : 0;
    verdict->tail = walk->knows_signature ? verdict->last_seq - walk->signed_seq
                                          : verdict->last_seq - verdict->first_seq + 1;
    if (!walk->is_closed) {
        laz_verdict_incomplete(verdict, LAZ_COMPLETE_OPEN);
    }
    if (verdict->first_seq > 0) {
        laz_verdict_incomplete(verdict, LAZ_COMPLETE_HEADLESS);
    }
    if (verdict->missing > 0) {
        laz_verdict_incomplete(verdict, LAZ_COMPLETE_TRUNCATED);
    }
    if (walk->has_gap || (walk->missing.n > 0 && !walk->without_logs)) {
        laz_verdict_incomplete(verdict, LAZ_COMPLETE_GAP);
    }
}

int laz_walk_chain(const struct laz_walk_tools *tools, const struct laz_entry *entries, size_t n,
        struct laz_chain_verdict *verdict, struct laz_err *err)
{
    struct walk walk = {.hasher = tools->hasher,
            .block = tools->block,
            .verdict = verdict,
            .seen = tools->seen,
            .entries = entries,
            .n = n,
            .err = err,
            .without_logs = tools->without_logs,
            .knows_before = entries[0].seq == 0,
            .chained = calloc(n + 1, sizeof(uint64_t))};
    if (walk.chained == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory to verify");
    }
    verdict->first_seq = entries[0].seq;
    verdict->last_seq = entries[n - 1].seq;
    verdict->records = n;
    for (size_t i = 0; i < n && err->kind == LAZ_E_NONE; i++) {
        if (i > 0 && entries[i].seq != entries[i - 1].seq + 1) {
            open_logs(&walk, entries[i - 1].seq + 1, entries[i].seq - 1);
            walk.has_open_missing = true;
            ranges_add(&walk.missing, entries[i - 1].seq + 1, entries[i].seq - 1);
        }
        walk_one(&walk, &entries[i]);
    }
    conclude(&walk);
    bool failed = walk.missing.failed || walk.named.failed || tools->seen->failed;
    free(walk.missing.items);
    free(walk.named.items);
    free(walk.chained);
    if (failed) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory to verify");
    }
    return err->kind == LAZ_E_NONE ? 0 : -1;
}
