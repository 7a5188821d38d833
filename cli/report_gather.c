/* SPDX-License-Identifier: Apache-2.0
 *
 * The records of trails, each once however many copies there are, and the numbers that are made of
 * them. What a record says is believed as far as it can be read; whether it may be believed is what
 * the verdicts on its chain say.
 */
#include <stdlib.h>

#include "cli/report.h"

#define NODES_MAX     16384U /* of a record; init.start of a long policy has some hundred */
#define NAMES_MAX     256U   /* degradations and relaxations that differ */
#define ENTRIES_FIRST 1024U
#define TUNNELS_MAX   128U

static int out_of_memory(struct laz_err *err)
{
    return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a report");
}

bool laz_span_is(struct laz_span span, const char *text)
{
    return span.length == strlen(text) && memcmp(span.at, text, span.length) == 0;
}

static int compare_spans(struct laz_span a, struct laz_span b)
{
    size_t least = a.length < b.length ? a.length : b.length;
    int order = least == 0 ? 0 : memcmp(a.at, b.at, least);
    return order != 0 ? order : (a.length > b.length) - (a.length < b.length);
}

bool laz_report_read(const struct laz_report *report, const struct laz_report_entry *entry,
        struct laz_json_doc *ret)
{
    struct laz_err err = {0};
    struct laz_json_room room = {.nodes = report->nodes, .max = NODES_MAX, .kind = LAZ_E_SYSTEM};
    return laz_json_read(entry->text.at, entry->text.length, &room, ret, &err) == 0;
}

static struct laz_span lexeme(const struct laz_json_doc *doc, const struct laz_json_node *node)
{
    if (node == NULL) {
        return (struct laz_span){"", 0};
    }
    return (struct laz_span){doc->text + node->start, node->end - node->start};
}

static const struct laz_json_node *in_data(const struct laz_json_doc *doc, const char *key)
{
    return laz_json_member(doc, laz_json_member(doc, laz_json_root(doc), "d"), key);
}

/* ---- The records ---- */

static int add_entry(struct laz_report *report, size_t *cap, const struct laz_trail_line *line,
        struct laz_span text, struct laz_err *err)
{
    if (report->n_entries == *cap) {
        size_t wanted = *cap == 0 ? ENTRIES_FIRST : 2 * *cap;
        struct laz_report_entry *grown = reallocarray(report->entries, wanted, sizeof(*grown));
        if (grown == NULL) {
            return out_of_memory(err);
        }
        report->entries = grown;
        *cap = wanted;
    }
    struct laz_report_entry *entry = &report->entries[report->n_entries++];
    *entry = (struct laz_report_entry){
            .seq = line->seq, .text = text, .ev = line->ev, .when = line->when, .count = 1};
    (void)memcpy(entry->chain, line->chain, sizeof(entry->chain));
    return 0;
}

static int add_piece(struct laz_report *report, size_t *cap, const struct laz_trail_piece *piece,
        struct laz_err *err)
{
    const char *at = piece->text;
    const char *end = at + piece->length;
    while (at < end) {
        const char *feed = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((feed == NULL ? end : feed) - at);
        struct laz_span text = laz_trail_find(at, length);
        struct laz_trail_line line;
        at += length + 1;
        if (text.length == 0 || !laz_trail_parse(text, &line)) {
            continue; /* counted by the verifier */
        }
        if (line.kind != LAZ_TRAIL_LOG && add_entry(report, cap, &line, text, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int by_place(const void *left, const void *right)
{
    const struct laz_report_entry *a = left;
    const struct laz_report_entry *b = right;
    int order = memcmp(a->chain, b->chain, sizeof(a->chain));
    return order != 0 ? order : (a->seq > b->seq) - (a->seq < b->seq);
}

static void drop_copies(struct laz_report *report)
{
    size_t kept = 0;
    for (size_t i = 0; i < report->n_entries; i++) {
        if (kept == 0 || by_place(&report->entries[kept - 1], &report->entries[i]) != 0) {
            report->entries[kept++] = report->entries[i];
        }
    }
    report->n_entries = kept;
}

static void read_details(struct laz_report *report)
{
    for (size_t i = 0; i < report->n_entries; i++) {
        struct laz_report_entry *entry = &report->entries[i];
        struct laz_json_doc doc;
        if (!laz_report_read(report, entry, &doc)) {
            entry->obj = entry->act = (struct laz_span){"\"\"", 2};
            report->unread++;
            continue;
        }
        const struct laz_json_node *root = laz_json_root(&doc);
        entry->obj = lexeme(&doc, laz_json_member(&doc, root, "obj"));
        entry->act = lexeme(&doc, laz_json_member(&doc, root, "act"));
        uint64_t count = 0;
        if (laz_json_number(&doc, in_data(&doc, "count"), UINT32_MAX, &count) && count > 0) {
            entry->count = count;
        }
        if (!laz_json_number(&doc, laz_json_member(&doc, root, "sev"), 10, &entry->sev)) {
            entry->sev = 0; /* the form of the line has it: it cannot be */
        }
    }
}

/* ---- Groups ---- */

static int by_sort(const void *left, const void *right)
{
    const struct laz_report_group *a = left;
    const struct laz_report_group *b = right;
    int order = compare_spans(a->ev, b->ev);
    order = order != 0 ? order : compare_spans(a->act, b->act);
    return order != 0 ? order : compare_spans(a->obj, b->obj);
}

static int by_weight(const void *left, const void *right)
{
    const struct laz_report_group *a = left;
    const struct laz_report_group *b = right;
    if (a->sev != b->sev) {
        return a->sev < b->sev ? 1 : -1;
    }
    if (a->count != b->count) {
        return a->count < b->count ? 1 : -1;
    }
    return by_sort(left, right);
}

/* Of checkpoints and blocks there are many, and each is another one: the verdicts are about them.
 */
static bool is_of_the_chain(const struct laz_report_entry *entry)
{
    return entry->ev.length > 4 &&
            (memcmp(entry->ev.at, "chain", 5) == 0 || laz_span_is(entry->ev, "log.block"));
}

static int make_groups(struct laz_report *report, struct laz_err *err)
{
    report->groups = calloc(report->n_entries + 1, sizeof(*report->groups));
    if (report->groups == NULL) {
        return out_of_memory(err);
    }
    size_t n = 0;
    for (size_t i = 0; i < report->n_entries; i++) {
        const struct laz_report_entry *entry = &report->entries[i];
        if (!is_of_the_chain(entry)) {
            report->groups[n++] = (struct laz_report_group){.ev = entry->ev,
                    .obj = entry->obj,
                    .act = entry->act,
                    .first = entry->when,
                    .last = entry->when,
                    .sev = entry->sev,
                    .count = entry->count};
        }
    }
    qsort(report->groups, n, sizeof(*report->groups), by_sort);
    for (size_t i = 0; i < n; i++) {
        const struct laz_report_group *next = &report->groups[i];
        struct laz_report_group *group =
                report->n_groups == 0 ? NULL : &report->groups[report->n_groups - 1];
        if (group == NULL || by_sort(group, next) != 0) {
            report->groups[report->n_groups++] = *next;
            continue;
        }
        group->count += next->count;
        group->sev = group->sev > next->sev ? group->sev : next->sev;
        group->first = compare_spans(next->first, group->first) < 0 ? next->first : group->first;
        group->last = compare_spans(next->last, group->last) > 0 ? next->last : group->last;
    }
    qsort(report->groups, report->n_groups, sizeof(*report->groups), by_weight);
    return 0;
}

uint64_t laz_report_count(const struct laz_report *report, const char *ev, const char *act)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < report->n_groups; i++) {
        const struct laz_report_group *group = &report->groups[i];
        struct laz_span word = group->act;
        bool is_quoted = word.length >= 2;
        word.at += is_quoted;
        word.length -= is_quoted ? 2 : 0;
        if (laz_span_is(group->ev, ev) && (act == NULL || laz_span_is(word, act))) {
            sum += group->count;
        }
    }
    return sum;
}

/* ---- Starts ---- */

static void add_name(struct laz_report *report, struct laz_span name, bool is_relaxation)
{
    for (size_t i = 0; i < report->n_names; i++) {
        struct laz_report_name *known = &report->names[i];
        if (known->is_relaxation == is_relaxation && compare_spans(known->name, name) == 0) {
            known->n++;
            return;
        }
    }
    if (report->n_names < NAMES_MAX) {
        report->names[report->n_names++] = (struct laz_report_name){name, 1, is_relaxation};
    }
}

/* The words of a list; whether there were any. */
static bool add_names(struct laz_report *report, const struct laz_json_doc *doc, const char *key,
        bool is_relaxation)
{
    const struct laz_json_node *list = in_data(doc, key);
    const struct laz_json_node *node = NULL;
    bool any = false;
    while ((node = laz_json_next(doc, list, node)) != NULL) {
        add_name(report, lexeme(doc, node), is_relaxation);
        any = true;
    }
    return any;
}

static bool is_number(const struct laz_json_doc *doc, const struct laz_json_node *node,
        uint64_t least, uint64_t most)
{
    uint64_t value = 0;
    return laz_json_number(doc, node, UINT32_MAX, &value) && value >= least && value <= most;
}

static bool is_word(
        const struct laz_json_doc *doc, const struct laz_json_node *node, const char *word)
{
    char text[32];
    return laz_json_copy(doc, node, text, sizeof(text)) && strcmp(text, word) == 0;
}

/* Landlock that grants "/" holds nobody back; what "/" was refused with is an errno's name. */
static bool has_file_rules(const struct laz_json_doc *doc, const struct laz_json_node *probed)
{
    char word[32];
    return is_number(doc, laz_json_member(doc, probed, "landlock_abi"), 1, UINT32_MAX) &&
            laz_json_copy(doc, laz_json_member(doc, probed, "landlock"), word, sizeof(word)) &&
            word[0] == 'E';
}

static void add_start(struct laz_report *report, const struct laz_report_entry *entry)
{
    struct laz_json_doc doc;
    if (!laz_report_read(report, entry, &doc)) {
        return;
    }
    struct laz_report_starts *starts = &report->starts;
    const struct laz_json_node *read = in_data(&doc, "read");
    const struct laz_json_node *probed = in_data(&doc, "probed");
    bool is_enforced = laz_span_is(entry->act, "\"enforce\"");
    bool is_bare = true;
    static const char *const sets[] = {"cap_inh", "cap_prm", "cap_eff", "cap_amb"};
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        is_bare =
                is_bare && is_word(&doc, laz_json_member(&doc, read, sets[i]), "0000000000000000");
    }
    starts->all++;
    starts->enforced += is_enforced;
    starts->not_root += is_number(&doc, laz_json_member(&doc, read, "uid"), 1, UINT32_MAX);
    starts->without_capabilities += is_bare;
    starts->no_new_privs += is_number(&doc, laz_json_member(&doc, read, "no_new_privs"), 1, 1);
    starts->filtered +=
            is_enforced && is_number(&doc, laz_json_member(&doc, read, "seccomp"), 2, 2);
    starts->landlocked += has_file_rules(&doc, probed);
    starts->silent += is_word(&doc, in_data(&doc, "events"), "errno");
    starts->plain_enforced += is_word(&doc, laz_json_member(&doc, probed, "tls_plain"), "enforced");
    starts->fips += is_word(&doc, in_data(&doc, "fips"), "on");
    starts->degraded += add_names(report, &doc, "degraded", false);
    starts->relaxed += add_names(report, &doc, "relaxations", true);
}

static const char *const watches[LAZ_WATCH_COUNT] = {
        [LAZ_WATCH_FOREIGN] = "foreign",
        [LAZ_WATCH_FILES] = "files",
        [LAZ_WATCH_FILES_PARTLY] = "files_partly",
        [LAZ_WATCH_CREDENTIALS] = "credentials",
        [LAZ_WATCH_PROGRAMS] = "executables",
        [LAZ_WATCH_PLAIN] = "plain",
        [LAZ_WATCH_VOLUMES] = "volumes",
};

const char *laz_report_watch_name(enum laz_report_watch watch)
{
    return watches[watch];
}

/* That a helper began says nothing: what it names as working is watched. */
static uint32_t watched_by(const struct laz_report *report, const struct laz_report_entry *entry)
{
    struct laz_json_doc doc;
    uint32_t ret = 0;
    if (!laz_report_read(report, entry, &doc)) {
        return 0;
    }
    const struct laz_json_node *list = in_data(&doc, "watching");
    const struct laz_json_node *node = NULL;
    while ((node = laz_json_next(&doc, list, node)) != NULL) {
        for (unsigned i = 0; i < LAZ_WATCH_COUNT; i++) {
            bool is_detector = i != LAZ_WATCH_FILES_PARTLY && i != LAZ_WATCH_VOLUMES;
            ret |= is_detector && is_word(&doc, node, watches[i]) ? 1U << i : 0;
        }
    }
    if (is_number(&doc, in_data(&doc, "files"), 0, 0)) {
        ret &= ~(1U << LAZ_WATCH_FILES);
    }
    bool is_limited = laz_span_is(entry->act, "\"limited\"") &&
            (laz_span_is(entry->obj, "\"files\"") || laz_span_is(entry->obj, "\"folders\""));
    bool is_partly =
            is_limited || in_data(&doc, "unreadable") != NULL || in_data(&doc, "unwatched") != NULL;
    ret |= is_partly ? 1U << LAZ_WATCH_FILES_PARTLY : 0;
    ret |= laz_json_next(&doc, in_data(&doc, "volumes"), NULL) != NULL ? 1U << LAZ_WATCH_VOLUMES
                                                                       : 0;
    return ret;
}

static void count_watched(struct laz_report *report)
{
    for (size_t i = 0; i < report->n_runs; i++) {
        for (unsigned k = 0; k < LAZ_WATCH_COUNT; k++) {
            report->watched[k] += (report->runs[i].watched >> k) & 1U;
        }
    }
}

static void add_runs(struct laz_report *report)
{
    struct laz_report_run *run = NULL;
    for (size_t i = 0; i < report->n_entries; i++) {
        const struct laz_report_entry *entry = &report->entries[i];
        if (run == NULL || memcmp(run->chain, entry->chain, sizeof(run->chain)) != 0) {
            run = &report->runs[report->n_runs++];
            (void)memcpy(run->chain, entry->chain, sizeof(run->chain));
        }
        if (laz_span_is(entry->ev, "init.start")) {
            run->start = entry;
            add_start(report, entry);
        } else if (laz_span_is(entry->ev, "init.stop")) {
            run->stop = entry;
        } else if (laz_span_is(entry->ev, "sense.start")) {
            run->watched |= watched_by(report, entry);
        }
    }
    count_watched(report);
}

/* Counters of one helper's life: what is less than before began anew. */
static void add_tunnels(struct laz_report *report)
{
    struct {
        struct laz_span name;
        uint64_t opened;
        const uint8_t *chain;
    } seen[TUNNELS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < report->n_entries; i++) {
        const struct laz_report_entry *entry = &report->entries[i];
        struct laz_json_doc doc;
        uint64_t opened = 0;
        if (!laz_span_is(entry->ev, "tunnel.stat") || !laz_report_read(report, entry, &doc) ||
                !laz_json_number(&doc, in_data(&doc, "opened"), UINT32_MAX, &opened)) {
            continue;
        }
        size_t k = 0;
        while (k < n && compare_spans(seen[k].name, entry->obj) != 0) {
            k++;
        }
        if (k == TUNNELS_MAX) {
            continue;
        }
        bool goes_on = k < n && opened >= seen[k].opened &&
                memcmp(seen[k].chain, entry->chain, LAZ_CHAIN_ID_SIZE) == 0;
        report->tunnelled += opened - (goes_on ? seen[k].opened : 0);
        seen[k].name = entry->obj;
        seen[k].opened = opened;
        seen[k].chain = entry->chain;
        n += k == n;
    }
}

int laz_report_gather(const struct laz_trails *trails, struct laz_report *ret, struct laz_err *err)
{
    size_t cap = 0;
    *ret = (struct laz_report){.trails = trails};
    ret->nodes = calloc(NODES_MAX, sizeof(*ret->nodes));
    ret->names = calloc(NAMES_MAX, sizeof(*ret->names));
    if (ret->nodes == NULL || ret->names == NULL) {
        return out_of_memory(err);
    }
    for (size_t i = 0; i < trails->n; i++) {
        if (add_piece(ret, &cap, &trails->items[i], err) < 0) {
            return -1;
        }
    }
    if (ret->n_entries > 0) {
        qsort(ret->entries, ret->n_entries, sizeof(*ret->entries), by_place);
    }
    drop_copies(ret);
    read_details(ret);
    for (size_t i = 0; i < laz_verify_count(trails->verify); i++) {
        ret->logs += laz_verify_at(trails->verify, i)->records;
    }
    ret->logs -= ret->logs < ret->n_entries ? ret->logs : ret->n_entries;
    ret->runs = calloc(laz_verify_count(trails->verify) + 1, sizeof(*ret->runs));
    if (ret->runs == NULL) {
        return out_of_memory(err);
    }
    add_runs(ret);
    add_tunnels(ret);
    return make_groups(ret, err);
}

void laz_report_done(struct laz_report *report)
{
    free(report->entries);
    free(report->groups);
    free(report->runs);
    free(report->names);
    free(report->nodes);
}
