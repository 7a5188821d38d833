/* SPDX-License-Identifier: Apache-2.0
 *
 * The frozen shape of an event: one JSON object a line, keys always in this order, because the
 * rules of an IDS depend on it. In the audit trail, `chain` and `prev` follow, and then a hash that
 * the chain adds (audit/chain.h).
 */
#ifndef LAZ_CORE_RECORD_H
#define LAZ_CORE_RECORD_H

#include <sys/types.h>
#include <time.h>

#include "core/json.h"

/* The longest line that laz_record_end lets through, newline included. */
#define LAZ_RECORD_MAX 4096

struct laz_record {
    const char *ev;       /* "seccomp.deny" */
    int severity;         /* 0 (nothing) to 10, as in docs/reference/events.md */
    uint64_t seq;         /* gapless within one run of init */
    const char *task;     /* "" if unknown */
    const char *ctr;      /* the policy's name */
    pid_t pid;            /* whom it is about, in init's PID namespace; 0 if nobody */
    const char *exe;      /* "" if unknown */
    const char *obj;      /* what was acted on */
    const char *act;      /* what was done */
    struct timespec when; /* CLOCK_REALTIME */
    const char *chain;    /* NULL outside a chain */
    const char *prev;     /* NULL outside a chain, and where the record is not hashed by itself */
};

#define LAZ_RECORD_TIME_SIZE 48
/* As `ts` has it. */
void laz_record_time(const struct timespec *when, char ret[LAZ_RECORD_TIME_SIZE]);

/* Write everything in front of "d". */
void laz_record_head(struct laz_json *json, struct laz_buf *buf, const struct laz_record *record);

/* Write everything up to and into "d":{; the caller adds members of d through *json. */
void laz_record_begin(struct laz_json *json, struct laz_buf *buf, const struct laz_record *record);

/* Close d and the record and end the line. false if the line did not fit (buf->overflow). */
LAZ_MUST_CHECK bool laz_record_end(struct laz_json *json);

#endif
