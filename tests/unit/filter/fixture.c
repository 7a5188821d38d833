/* SPDX-License-Identifier: Apache-2.0
 *
 * Policies for tests, by hand and at random.
 */
#include "tests/unit/filter/fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct laz_verdict verdict_of(enum laz_action action, int errno_value)
{
    return (struct laz_verdict){.action = action, .errno_value = (uint16_t)errno_value};
}

struct fixture *fixture_new(void)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    if (fixture == NULL) {
        abort();
    }
    struct laz_policy *policy = &fixture->policy;
    policy->default_verdict = verdict_of(LAZ_ACTION_NOTIFY, EPERM);
    policy->unknown_verdict = verdict_of(LAZ_ACTION_ERRNO, ENOSYS);
    policy->foreign_abi_verdict = verdict_of(LAZ_ACTION_NOTIFY, ENOSYS);
    policy->decisions = fixture->decisions;
    for (size_t i = 0; i < laz_syscall_count(); i++) {
        fixture->decisions[i].base = policy->default_verdict;
        fixture->decisions[i].otherwise = policy->default_verdict;
    }
    return fixture;
}

void fixture_free(struct fixture **fixture)
{
    free(*fixture);
    *fixture = NULL;
}

struct laz_decision *decision_of(struct fixture *fixture, const char *name)
{
    const struct laz_syscall *call = laz_syscall_by_name(name, strlen(name));
    if (call == NULL) {
        abort();
    }
    return &fixture->decisions[laz_syscall_index(call)];
}

struct laz_clause *add_clause(
        struct fixture *fixture, struct laz_clauses *list, struct laz_verdict verdict)
{
    if (fixture->n_clauses == FIXTURE_CLAUSES_MAX) {
        abort();
    }
    struct laz_clause *clause = &fixture->clauses[fixture->n_clauses++];
    if (list->n == 0) {
        list->items = clause;
    }
    list->n++;
    clause->verdict = verdict;
    return clause;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

struct laz_cond *add_cond(struct fixture *fixture, struct laz_clause *clause, struct laz_cond cond,
        const uint64_t *values, size_t n)
{
    if (fixture->n_values + n > FIXTURE_VALUES_MAX || clause->n_conds == LAZ_POLICY_CONDS_MAX) {
        abort();
    }
    cond.values = &fixture->values[fixture->n_values];
    for (size_t i = 0; i < n; i++) {
        cond.values[i] = values[i];
    }
    qsort(cond.values, n, sizeof(*values), compare);
    cond.n_values = n > 0;
    for (size_t i = 1; i < n; i++) {
        if (cond.values[i] != cond.values[i - 1]) {
            cond.values[cond.n_values++] = cond.values[i];
        }
    }
    fixture->n_values += cond.n_values;
    clause->conds[clause->n_conds] = cond;
    return &clause->conds[clause->n_conds++];
}

/* ---- Random policies ---- */

static uint32_t next(struct choices *choices)
{
    if (choices->bytes != NULL) {
        uint32_t word = 0;
        for (int i = 0; i < 2 && choices->n > 0; i++, choices->n--) {
            word = word << 8 | *choices->bytes++;
        }
        return word;
    }
    choices->seed += 0x9e3779b97f4a7c15U; /* splitmix64 */
    uint64_t z = choices->seed;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return (uint32_t)(z >> 32);
}

uint32_t choose(struct choices *choices, uint32_t bound)
{
    return next(choices) % bound;
}

static struct laz_verdict random_verdict(struct choices *choices)
{
    static const int errnos[] = {EPERM, ENOSYS, EACCES, 4095};
    enum laz_action action = (enum laz_action)choose(choices, LAZ_ACTION_COUNT);
    return verdict_of(action, errnos[choose(choices, 4)]);
}

static uint64_t random_word(struct choices *choices)
{
    static const uint64_t words[] = {0, 1, 2, 3, 4, 0xf, 0x5412, 0x7fffffff, 0x80000000, 0xffffffff,
            0x100000000, 0x7e020000, UINT64_MAX, UINT64_MAX - 1, 0x500000005};
    uint32_t kind = choose(choices, 8);
    if (kind == 0) {
        return (uint64_t)next(choices) << 32 | next(choices);
    }
    if (kind == 1) {
        return 1ULL << choose(choices, 64);
    }
    return words[choose(choices, sizeof(words) / sizeof(words[0]))];
}

static void random_cond(struct fixture *fixture, struct choices *choices, struct laz_clause *clause)
{
    static const uint8_t widths[] = {32, 64, 32, 16};
    struct laz_cond cond = {.arg = (uint8_t)choose(choices, 2),
            .width_bits = widths[choose(choices, 4)],
            .negate = choose(choices, 3) == 0};
    if (choose(choices, 8) == 0) {
        cond.arg = (uint8_t)choose(choices, 6);
    }
    uint64_t bits = cond.width_bits == 64 ? UINT64_MAX : (1ULL << cond.width_bits) - 1;
    cond.mask = (choose(choices, 2) == 0 ? UINT64_MAX : random_word(choices)) & bits;
    uint64_t values[8];
    size_t n = choose(choices, 6) == 0 ? choose(choices, 8) : 1 + choose(choices, 3);
    for (size_t i = 0; i < n; i++) {
        values[i] = random_word(choices) & cond.mask;
    }
    if (choose(choices, 5) == 0) { /* a range */
        for (size_t i = 1; i < n; i++) {
            values[i] = (values[0] + i) & cond.mask;
        }
    }
    (void)add_cond(fixture, clause, cond, values, n);
}

static void random_clauses(
        struct fixture *fixture, struct choices *choices, struct laz_clauses *list)
{
    for (uint32_t n = choose(choices, 3); n > 0; n--) {
        struct laz_clause *clause = add_clause(fixture, list, random_verdict(choices));
        for (uint32_t n_conds = choose(choices, 8) % 3; n_conds > 0; n_conds--) {
            random_cond(fixture, choices, clause);
        }
    }
}

struct fixture *fixture_random(struct choices *choices)
{
    struct fixture *fixture = fixture_new();
    struct laz_policy *policy = &fixture->policy;
    policy->mode = (enum laz_mode)choose(choices, LAZ_MODE_COUNT);
    policy->unknown_verdict = random_verdict(choices);
    policy->foreign_abi_verdict = random_verdict(choices);
    for (uint32_t n = choose(choices, 16); n > 0;
            n--) { /* neighbours by name: any order of numbers */
        size_t from = choose(choices, (uint32_t)laz_syscall_count());
        struct laz_verdict verdict = random_verdict(choices);
        for (size_t i = from; i < laz_syscall_count() && i < from + 8 * n; i++) {
            fixture->decisions[i].base = verdict;
        }
    }
    for (uint32_t n = choose(choices, 12); n > 0; n--) {
        struct laz_decision *decision =
                &fixture->decisions[choose(choices, (uint32_t)laz_syscall_count())];
        if (decision->refuse.n + decision->guard.n + decision->allow.n == 0) {
            decision->otherwise = random_verdict(choices);
            random_clauses(fixture, choices, &decision->refuse);
            random_clauses(fixture, choices, &decision->guard);
            random_clauses(fixture, choices, &decision->allow);
        }
    }
    return fixture;
}
