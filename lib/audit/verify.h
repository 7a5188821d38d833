/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads trails back: three verdicts for each chain, as docs/reference/trail-format.md defines them.
 * Takes records in any order, from any number of copies, with whatever a transport put in front.
 */
#ifndef LAZ_AUDIT_VERIFY_H
#define LAZ_AUDIT_VERIFY_H

#include "audit/chain.h"

enum laz_integrity {
    LAZ_INTEGRITY_OK,
    LAZ_INTEGRITY_BROKEN,
};

/* From the best to the worst. */
enum laz_completeness {
    LAZ_COMPLETE_CLOSED,
    LAZ_COMPLETE_GAP,
    LAZ_COMPLETE_OPEN,
    LAZ_COMPLETE_HEADLESS,
    LAZ_COMPLETE_TRUNCATED,
};

enum laz_uniqueness {
    LAZ_UNIQUE_SINGLE,
    LAZ_UNIQUE_FORKED,
};

struct laz_chain_verdict {
    uint8_t id[LAZ_CHAIN_ID_SIZE];
    enum laz_integrity integrity;
    uint64_t broken_seq;
    const char *broken_why; /* static; NULL while it is whole */
    enum laz_completeness completeness;
    uint64_t missing;  /* records that are not there and that no gap names */
    uint64_t unjudged; /* the same, where they are no finding: laz_verify_without_logs */
    enum laz_uniqueness uniqueness;
    uint64_t forked_seq;
    uint64_t first_seq;
    uint64_t last_seq;
    uint64_t records;          /* that are there, each once */
    uint64_t lost;             /* that gaps name */
    uint64_t unvouched;        /* log records that are there, of blocks that cannot be checked */
    uint64_t tail;             /* behind the last signature */
    struct laz_span last_when; /* of the last record */
};

/* Opaque. */
struct laz_verify;

/* NULL without memory. Free with laz_verify_free; NULL is fine. */
LAZ_MUST_CHECK struct laz_verify *laz_verify_new(void);
void laz_verify_free(struct laz_verify *verify);

/* A piece of a trail: whole lines, and perhaps one without a line feed at the end. Borrowed until
 * the verdicts are no longer used. LAZ_E_MEMORY. */
LAZ_MUST_CHECK int laz_verify_add(
        struct laz_verify *verify, const char *text, size_t length, struct laz_err *err);

/* The copy is of a sink that takes no log records: of a chain of which none is there, those that
 * are missing are counted and not judged. A chained record is missed as ever, by the next one. */
void laz_verify_without_logs(struct laz_verify *verify);

/* Somebody has seen this record. LAZ_E_MEMORY. */
LAZ_MUST_CHECK int laz_verify_anchor(
        struct laz_verify *verify, const struct laz_place *seen, struct laz_err *err);

/* Once, after everything has been added. LAZ_E_MEMORY, LAZ_E_INTERNAL. */
LAZ_MUST_CHECK int laz_verify_run(struct laz_verify *verify, struct laz_err *err);

/* Sorted by the chain's identity. */
size_t laz_verify_count(const struct laz_verify *verify);
const struct laz_chain_verdict *laz_verify_at(const struct laz_verify *verify, size_t i);

struct laz_verify_lines {
    uint64_t repeated;  /* the same record once more */
    uint64_t unchained; /* records of no chain */
    uint64_t foreign;   /* lines without a record */
    uint64_t rendered;  /* of those, events of OCSF that we made of records */
    uint64_t malformed; /* lines that begin like a record and are none: never whole */
};

void laz_verify_lines(const struct laz_verify *verify, struct laz_verify_lines *ret);

const char *laz_completeness_name(enum laz_completeness completeness);

#endif
