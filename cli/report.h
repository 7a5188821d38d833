/* SPDX-License-Identifier: Apache-2.0
 *
 * What `lazaret report` knows: the records of trails, each once, what they say together, and which
 * safeguards of 45 CFR 164.312 that speaks for. Gathering never judges, and rendering never counts.
 */
#ifndef LAZ_CLI_REPORT_H
#define LAZ_CLI_REPORT_H

#include "audit/trail.h"
#include "cli/trails.h"
#include "core/json_read.h"

#define LAZ_REPORT_SCHEMA  "lazaret.report/1"
#define LAZ_REPORT_EXPLAIN '!'

/* A chained record. Spans point into the trails; obj and act are lexemes, quotes included. */
struct laz_report_entry {
    uint8_t chain[LAZ_CHAIN_ID_SIZE];
    uint64_t seq;
    struct laz_span text;
    struct laz_span ev;
    struct laz_span obj;
    struct laz_span act;
    struct laz_span when;
    uint64_t sev;
    uint64_t count; /* how many it stands for */
};

/* Records of one sort. */
struct laz_report_group {
    struct laz_span ev;
    struct laz_span obj;
    struct laz_span act;
    struct laz_span first;
    struct laz_span last;
    uint64_t sev; /* the worst */
    uint64_t count;
};

/* What one chain tells of its run; NULL where there is no such record. */
struct laz_report_run {
    uint8_t chain[LAZ_CHAIN_ID_SIZE];
    const struct laz_report_entry *start; /* init.start */
    const struct laz_report_entry *stop;  /* init.stop */
    uint32_t watched;                     /* bits of enum laz_report_watch, by sense.start */
};

/* What a run was watched for, by each record of sense.start in it. */
enum laz_report_watch {
    LAZ_WATCH_FOREIGN,
    LAZ_WATCH_FILES,
    LAZ_WATCH_FILES_PARTLY, /* there are files that could not be read, or too many */
    LAZ_WATCH_CREDENTIALS,
    LAZ_WATCH_PROGRAMS,
    LAZ_WATCH_PLAIN,
    LAZ_WATCH_VOLUMES,
    LAZ_WATCH_COUNT
};

/* A degradation or a relaxation, and in how many starts. */
struct laz_report_name {
    struct laz_span name; /* a lexeme */
    uint64_t n;
    bool is_relaxation;
};

/* Of the starts that were attested. */
struct laz_report_starts {
    uint64_t all;
    uint64_t enforced;
    uint64_t not_root;
    uint64_t without_capabilities;
    uint64_t no_new_privs;
    uint64_t filtered;
    uint64_t landlocked;
    uint64_t degraded;
    uint64_t relaxed;
    uint64_t silent;         /* refused calls leave no record */
    uint64_t plain_enforced; /* tls.plain: clear text was made impossible, where the kernel can */
    uint64_t fips;
};

struct laz_report {
    const struct laz_trails *trails;
    struct laz_report_entry *entries; /* sorted by chain and place, each once */
    size_t n_entries;
    struct laz_report_group *groups; /* the worst first */
    size_t n_groups;
    struct laz_report_run *runs;
    size_t n_runs;
    struct laz_report_name *names;
    size_t n_names;
    struct laz_report_starts starts;
    uint64_t watched[LAZ_WATCH_COUNT]; /* runs */
    uint64_t logs;                     /* lines of workloads */
    uint64_t unread;                   /* records of which more than the form could not be read */
    uint64_t tunnelled;                /* connections that tunnels have opened, at least */
    struct laz_json_node *nodes;       /* room for one record */
};

/* Everything out of trails that have been judged. Call laz_report_done in any case. */
LAZ_MUST_CHECK int laz_report_gather(
        const struct laz_trails *trails, struct laz_report *ret, struct laz_err *err);
void laz_report_done(struct laz_report *report);

/* The record as JSON, in the report's room: until the next one. false: it is none. */
LAZ_MUST_CHECK bool laz_report_read(const struct laz_report *report,
        const struct laz_report_entry *entry, struct laz_json_doc *ret);
bool laz_span_is(struct laz_span span, const char *text);

/* How many records were of this event, or only of this act (without quotes); count is added up. */
uint64_t laz_report_count(const struct laz_report *report, const char *ev, const char *act);

/* What the trail can say about a safeguard. Never that it is met. */
enum laz_control_verdict {
    LAZ_CONTROL_SHOWN,    /* records speak for it */
    LAZ_CONTROL_FINDINGS, /* and some have to be explained */
    LAZ_CONTROL_SILENT,   /* no record speaks of it */
};

struct laz_control {
    const char *id;
    const char *title;
    const char *limit; /* what no record can show */
    /* Sentences, each ended by a line feed. */
    /* A line of evidence each; one that is to be explained begins with LAZ_REPORT_EXPLAIN. */
    enum laz_control_verdict (*judge)(const struct laz_report *report, struct laz_buf *evidence);
    bool is_standard;    /* else an implementation specification */
    bool is_addressable; /* else required */
};

/* NULL behind the last one. */
const struct laz_control *laz_control_at(size_t i);
/* A word of the JSON's `watched`. */
const char *laz_report_watch_name(enum laz_report_watch watch);
const char *laz_control_verdict_name(enum laz_control_verdict verdict);

void laz_report_html(const struct laz_report *report, struct laz_buf *buf);
void laz_report_json(const struct laz_report *report, struct laz_buf *buf);

/* Now, as records write it, without fractions. */
void laz_report_now(char ret[32]);
void laz_report_digest(const struct laz_trail_piece *piece, char ret[2 * LAZ_SHA256_SIZE + 1]);

#endif
