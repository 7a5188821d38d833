/* SPDX-License-Identifier: Apache-2.0
 *
 * Resolved policies built by hand, without the loader: what the tests, the fuzzers and the
 * benchmark of the filter compile. Fixed memory; a fixture is one allocation.
 */
#ifndef FILTER_FIXTURE_H
#define FILTER_FIXTURE_H

#include "filter/filter.h"

#define FIXTURE_CLAUSES_MAX 1024
#define FIXTURE_VALUES_MAX  65536

struct fixture {
    struct laz_policy policy;
    struct laz_decision decisions[LAZ_SYSCALL_TABLE_MAX];
    struct laz_clause clauses[FIXTURE_CLAUSES_MAX];
    uint64_t values[FIXTURE_VALUES_MAX];
    size_t n_clauses;
    size_t n_values;
};

/* Everything is notify EPERM, unknown numbers are errno ENOSYS, foreign ABIs notify ENOSYS. Aborts
 * without memory. */
struct fixture *fixture_new(void);
void fixture_free(struct fixture **fixture);
#define cleanup_fixture __attribute__((cleanup(fixture_free)))

/* Where random choices come from: a seed, or the bytes of a fuzzer until they end (then zeros). */
struct choices {
    const uint8_t *bytes; /* NULL: the seed */
    size_t n;
    uint64_t seed;
};

/* 0..bound-1. */
uint32_t choose(struct choices *choices, uint32_t bound);

/* Anything that a loader could produce, and somewhat more. */
struct fixture *fixture_random(struct choices *choices);

struct laz_verdict verdict_of(enum laz_action action, int errno_value);
struct laz_decision *decision_of(struct fixture *fixture, const char *name);

/* One more clause for a list. All clauses of one list must be added before those of another one. */
struct laz_clause *add_clause(
        struct fixture *fixture, struct laz_clauses *list, struct laz_verdict verdict);

/* One more condition; `values` as many as n, in any order. */
struct laz_cond *add_cond(struct fixture *fixture, struct laz_clause *clause, struct laz_cond cond,
        const uint64_t *values, size_t n);

/* An argument whose low 32 bits are one of the values. */
#define IS(arg_) ((struct laz_cond){.arg = (arg_), .width_bits = 32, .mask = UINT32_MAX})
/* An argument that has one of the flags. */
#define HAS_ANY(arg_, flags)                                                                       \
    ((struct laz_cond){.arg = (arg_), .width_bits = 32, .mask = (flags), .negate = true})

#endif
