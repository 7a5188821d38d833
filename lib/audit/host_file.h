/* SPDX-License-Identifier: Apache-2.0
 *
 * A host's file of records (core/ledger.h), read back: is each line what the one behind it says it
 * was, and is none missing? Nothing signs such a file: who may write all of it anew is not found
 * out. Format: docs/reference/hook.md.
 */
#ifndef LAZ_AUDIT_HOST_FILE_H
#define LAZ_AUDIT_HOST_FILE_H

#include "audit/trail.h"

struct laz_host_place {
    uint64_t line; /* from 1; 0: nowhere */
    uint64_t byte; /* of the text, from 0: where the line begins */
};

/* Spans point into the text. */
struct laz_host_verdict {
    uint64_t records;
    uint64_t first_seq;
    bool is_headless; /* there was one in front of the first */
    uint64_t last_seq;
    struct laz_span first_when;
    struct laz_span last_when;
    uint64_t breaks; /* of the chain; below is the first */
    struct laz_host_place broken;
    const char *broken_why;       /* static */
    uint64_t torn;                /* records that were begun, and not written to their end */
    struct laz_host_place tear;   /* the first of them */
    struct laz_host_place end;    /* what is behind the last record and is none */
    uint64_t files;               /* one behind the other in this one, as where it was renamed */
    struct laz_host_place second; /* where the second of them begins */
};

/* Is the first record of the text, whatever a transport put in front, one of a host's file? */
bool laz_host_file_is(const char *text, size_t length);

void laz_host_file_judge(const char *text, size_t length, struct laz_host_verdict *ret);

/* Is there nothing to explain? */
bool laz_host_file_is_fine(const struct laz_host_verdict *verdict);

#endif
