/* SPDX-License-Identifier: Apache-2.0
 *
 * Walks a host's file line by line, as its writers do (core/ledger.c): a record follows the last
 * line that is one, and leaves out one number behind what is none.
 */
#include "audit/host_file.h"

#include <string.h>

/* A record, as it was read. */
struct entry {
    struct laz_trail_line line;
    uint8_t prev[LAZ_SHA256_SIZE];
    uint8_t hash[LAZ_SHA256_SIZE]; /* of the line, its newline with it */
};

struct walk {
    struct laz_host_verdict *verdict;
    bool has_transport; /* something stands in front of each record */
    bool has_before;
    uint64_t seq;                    /* of the record before */
    uint8_t before[LAZ_SHA256_SIZE]; /* its hash; zeros: there is none */
    struct laz_host_place tear;      /* the first line since then that is no record */
};

bool laz_host_file_is(const char *text, size_t length)
{
    for (const char *end = text + length; text < end;) {
        struct laz_trail_line line;
        uint8_t prev[LAZ_SHA256_SIZE];
        const char *feed = memchr(text, '\n', (size_t)(end - text));
        const char *stop = feed != NULL ? feed : end;
        struct laz_span record = laz_trail_find(text, (size_t)(stop - text));
        if (laz_trail_parse_host(record, &line, prev)) {
            return true;
        }
        if (laz_trail_parse(record, &line)) {
            return false;
        }
        text = stop + 1;
    }
    return false;
}

static void set_first(struct laz_host_place *place, const struct laz_host_place *here)
{
    *place = place->line == 0 ? *here : *place;
}

static void set_broken(struct walk *walk, const struct laz_host_place *here, const char *why)
{
    struct laz_host_verdict *verdict = walk->verdict;
    if (verdict->breaks++ == 0) {
        verdict->broken = *here;
        verdict->broken_why = why;
    }
}

/* line: with its newline. */
static bool read_entry(const struct walk *walk, const char *line, size_t length, struct entry *ret)
{
    struct laz_span record = laz_trail_find(line, length - 1);
    if (!laz_trail_parse_host(record, &ret->line, ret->prev) ||
            (record.at != line && !walk->has_transport)) {
        return false;
    }
    laz_sha256_of(record.at, record.length + 1, ret->hash);
    return true;
}

static bool is_none(const uint8_t hash[LAZ_SHA256_SIZE])
{
    static const uint8_t zeros[LAZ_SHA256_SIZE];
    return memcmp(hash, zeros, sizeof(zeros)) == 0;
}

static void count_tear(struct walk *walk)
{
    if (walk->tear.line != 0) {
        walk->verdict->torn++;
        set_first(&walk->verdict->tear, &walk->tear);
    }
}

/* The numbers that a writer leaves out: one, behind what is no record. */
static void judge_number(
        struct walk *walk, const struct entry *entry, const struct laz_host_place *here)
{
    uint64_t next = walk->seq + (walk->has_before ? 1 : 0);
    uint64_t skipped = walk->tear.line == 0 ? 0 : 1;
    if (entry->line.seq < next) {
        set_broken(walk, here, "its number has been there before: it was put here, or comes again");
    } else if (entry->line.seq == next && skipped == 1) {
        set_broken(walk, &walk->tear, "it is no record, and nobody began one here");
    } else if (entry->line.seq > next + skipped && walk->has_before) {
        set_broken(walk, here, "records in front of it are missing");
    } else {
        count_tear(walk);
    }
}

static void judge_entry(
        struct walk *walk, const struct entry *entry, const struct laz_host_place *here)
{
    struct laz_host_verdict *verdict = walk->verdict;
    bool is_first = entry->line.seq == 0 && is_none(entry->prev);
    if (walk->has_before && is_first) {
        count_tear(walk);
        verdict->files++;
        set_first(&verdict->second, here);
    } else {
        judge_number(walk, entry, here);
        verdict->is_headless = verdict->is_headless ||
                (!walk->has_before && entry->line.seq > (walk->tear.line == 0 ? 0 : 1));
        bool is_cut = !walk->has_before && verdict->is_headless;
        if (!is_cut && memcmp(entry->prev, walk->before, sizeof(walk->before)) != 0) {
            set_broken(walk, here,
                    "it does not follow from the record in front of it: one of the two was "
                    "changed, or one between them is gone");
        }
    }
    if (!walk->has_before) {
        verdict->first_seq = entry->line.seq;
        verdict->first_when = entry->line.when;
    }
    verdict->records++;
    verdict->last_seq = entry->line.seq;
    verdict->last_when = entry->line.when;
    walk->has_before = true;
    walk->seq = entry->line.seq;
    walk->tear = (struct laz_host_place){0};
    (void)memcpy(walk->before, entry->hash, sizeof(walk->before));
}

/* Does anything stand in front of the first record? */
static bool find_transport(const char *text, size_t length)
{
    struct laz_span first = laz_trail_find(text, length);
    return first.length > 0 && first.at != text && first.at[-1] != '\n';
}

void laz_host_file_judge(const char *text, size_t length, struct laz_host_verdict *ret)
{
    struct walk walk = {.verdict = ret, .has_transport = find_transport(text, length)};
    struct laz_host_place here = {.line = 1};
    *ret = (struct laz_host_verdict){.files = 1};
    while (here.byte < length) {
        struct entry entry;
        const char *line = text + here.byte;
        const char *feed = memchr(line, '\n', length - here.byte);
        size_t size = feed != NULL ? (size_t)(feed + 1 - line) : length - here.byte;
        if (feed != NULL && read_entry(&walk, line, size, &entry)) {
            judge_entry(&walk, &entry, &here);
        } else {
            set_first(&walk.tear, &here);
        }
        here.byte += size;
        here.line++;
    }
    ret->end = walk.tear;
}

bool laz_host_file_is_fine(const struct laz_host_verdict *verdict)
{
    return verdict->records > 0 && verdict->breaks == 0 && verdict->torn == 0 &&
            verdict->end.line == 0 && !verdict->is_headless;
}
