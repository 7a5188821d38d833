/* SPDX-License-Identifier: Apache-2.0
 *
 * Lists the tests of a program. Must never leave one out that some input can reach: where it is not
 * sure what a test looks at, it says so.
 */
#include "filter/survey.h"

#include <stddef.h>
#include <string.h>

#include "filter/graph.h"

bool laz_word_test_holds(const struct laz_word_test *test, uint32_t word)
{
    uint32_t value = word & test->mask;
    return test->is_order ? value >= test->k : value == test->k;
}

void laz_values_init(struct laz_values *values)
{
    values->n = 0;
    values->is_full = false;
}

void laz_survey_init(struct laz_survey *survey)
{
    survey->n = 0;
    survey->is_full = false;
    survey->is_unclear = false;
    laz_values_init(&survey->parts);
}

void laz_survey_add(struct laz_survey *survey, struct laz_word_test test)
{
    if (survey->n == LAZ_SURVEY_TESTS_MAX) {
        survey->is_full = true;
        return;
    }
    survey->tests[survey->n++] = test;
}

/* The test that a conditional jump makes; *ret_inverted: the jump is taken where the test fails.
 * false: it cannot hold. */
static bool test_of(const struct laz_word_state *state, const struct sock_filter *insn,
        struct laz_word_test *ret_test, bool *ret_inverted)
{
    *ret_test = (struct laz_word_test){.offset = state->offset, .mask = state->mask, .k = insn->k};
    *ret_inverted = false;
    switch (BPF_OP(insn->code)) {
    case BPF_JSET: /* not all of these bits are zero */
        ret_test->mask &= insn->k;
        ret_test->k = 0;
        *ret_inverted = true;
        return true;
    case BPF_JGE:
        ret_test->is_order = true;
        return true;
    case BPF_JGT:
        ret_test->is_order = true;
        ret_test->k++;
        return insn->k != UINT32_MAX;
    default:
        return true;
    }
}

static void flow(struct laz_word_state *to, const struct laz_word_state *from)
{
    if (!to->is_reached) {
        *to = *from;
    } else if (to->offset != from->offset || to->mask != from->mask || from->is_mixed) {
        to->is_mixed = true; /* harmless if a load or a return follows */
    }
}

/* Is this a test of architecture or number, and are they given? Then only one way is open. */
static bool is_decided(
        const struct laz_word_state *state, const struct seccomp_data *known, uint32_t *ret_word)
{
    if (known == NULL || state->is_mixed || state->offset > offsetof(struct seccomp_data, arch)) {
        return false;
    }
    *ret_word = state->offset == 0 ? (uint32_t)known->nr : known->arch;
    return true;
}

static void flow_jump(struct laz_survey *survey, struct laz_word_state *from,
        const struct sock_filter *insn, const struct seccomp_data *known)
{
    struct laz_word_test test;
    bool is_inverted = false;
    bool can_hold = test_of(from, insn, &test, &is_inverted);
    uint32_t word = 0;
    if (is_decided(from, known, &word)) {
        bool is_taken = (can_hold && laz_word_test_holds(&test, word)) != is_inverted;
        flow(from + 1 + (is_taken ? insn->jt : insn->jf), from);
        return;
    }
    if (from->is_mixed) {
        survey->is_unclear = true;
    } else if (can_hold) {
        laz_survey_add(survey, test);
    }
    flow(from + 1 + insn->jt, from);
    flow(from + 1 + insn->jf, from);
}

void laz_survey_program(struct laz_survey *survey, const struct sock_filter *insns, size_t n,
        const struct seccomp_data *known)
{
    struct laz_word_state *states = survey->states;
    if (n > LAZ_IMAGE_BPF_MAX) {
        survey->is_full = true;
        return;
    }
    (void)memset(states, 0, n * sizeof(*states));
    states[0].is_reached = true; /* the accumulator is 0, no bit of any word */
    for (size_t i = 0; i < n; i++) {
        const struct sock_filter *insn = &insns[i];
        if (!states[i].is_reached || insn->code == (BPF_RET | BPF_K)) {
            continue;
        }
        struct laz_word_state after = states[i];
        if (insn->code == (BPF_JMP | BPF_JA)) {
            flow(&states[i + 1 + insn->k], &after);
        } else if (BPF_CLASS(insn->code) == BPF_JMP) {
            flow_jump(survey, &states[i], insn, known);
        } else if (BPF_CLASS(insn->code) == BPF_LD) {
            after = (struct laz_word_state){
                    .is_reached = true, .offset = insn->k, .mask = UINT32_MAX};
            flow(&states[i + 1], &after);
        } else {
            after.mask &= insn->k;
            flow(&states[i + 1], &after);
        }
    }
}

/* ---- Values that can make a difference ---- */

static bool has_value(const struct laz_values *values, uint32_t value)
{
    for (size_t i = 0; i < values->n; i++) {
        if (values->items[i] == value) {
            return true;
        }
    }
    return false;
}

static void append(struct laz_values *values, uint32_t value)
{
    if (values->n == LAZ_VALUES_MAX) {
        values->is_full = true;
        return;
    }
    values->items[values->n++] = value;
}

void laz_values_add(struct laz_values *values, uint32_t value)
{
    if (!has_value(values, value)) {
        append(values, value);
    }
}

/* What is known of a test when the value is known in the `seen` bits, the highest ones: 0 equal so
 * far, else decided. */
static int status(const struct laz_word_test *test, uint32_t value, uint32_t seen)
{
    uint32_t a = value & test->mask & seen;
    uint32_t b = test->k & seen;
    if (a == b) {
        return 0;
    }
    return test->is_order && a > b ? 1 : -1;
}

/* Is there a value among them that no test can tell from this one, whatever the other bits are? */
static bool has_equivalent(const struct laz_survey *survey, uint32_t offset,
        const struct laz_values *values, uint32_t value, uint32_t seen)
{
    for (size_t i = 0; i < values->n; i++) {
        bool is_same = true;
        for (size_t j = 0; is_same && j < survey->n; j++) {
            const struct laz_word_test *test = &survey->tests[j];
            is_same = test->offset != offset ||
                    status(test, value, seen) == status(test, values->items[i], seen);
        }
        if (is_same) {
            return true;
        }
    }
    return false;
}

/* What a run of bits can hold that makes a difference to a test: each constant, and one value of
 * each gap between constants: the one behind the lower of the two, or 0. */
static void find_parts(struct laz_survey *survey, uint32_t offset, uint32_t run)
{
    struct laz_values *parts = &survey->parts;
    laz_values_init(parts);
    laz_values_add(
            parts, run); /* first, so that bits which no test sees are ones: carelessness shows */
    for (size_t i = 0; i < survey->n; i++) {
        const struct laz_word_test *test = &survey->tests[i];
        if (test->offset == offset && (test->mask & run) != 0) {
            uint32_t part = test->k & run;
            laz_values_add(parts, part);
            laz_values_add(parts, laz_mask_next(run, part));
            laz_values_add(parts, 0);
        }
    }
}

/* The bits that lie between the same boundaries of masks as the highest one that is not yet seen.
 */
static uint32_t next_run(uint32_t boundaries, uint32_t seen)
{
    uint32_t lowest = 1U << (31 - __builtin_clz(boundaries & ~seen));
    return ~seen & ~(lowest - 1);
}

/* Each value so far with each part of the next run; one of each kind. */
static void lengthen(
        struct laz_survey *survey, uint32_t offset, struct laz_values *values, uint32_t seen)
{
    struct laz_values *longer = &survey->longer;
    laz_values_init(longer);
    longer->is_full = values->is_full || survey->parts.is_full;
    for (size_t i = 0; i < values->n; i++) {
        for (size_t j = 0; j < survey->parts.n; j++) {
            uint32_t value = values->items[i] | survey->parts.items[j];
            if (!has_equivalent(survey, offset, longer, value, seen)) {
                append(longer, value);
            }
        }
    }
    values->n = longer->n;
    values->is_full = longer->is_full;
    (void)memcpy(values->items, longer->items, longer->n * sizeof(longer->items[0]));
}

/* Builds the values from their highest bits down, run by run, and keeps one of each kind. That is
 * complete: within a run every mask is all or nothing, a test depends on how each run compares with
 * its constant, and of two runs that differ the higher one decides an order. */
void laz_survey_values(struct laz_survey *survey, uint32_t offset, struct laz_values *ret)
{
    uint32_t boundaries = 1; /* bits at which a mask begins or ends */
    for (size_t i = 0; i < survey->n; i++) {
        const struct laz_word_test *test = &survey->tests[i];
        boundaries |= test->offset == offset ? test->mask ^ (test->mask << 1) : 0;
    }
    laz_values_init(ret);
    append(ret, 0);
    uint32_t seen = 0;
    while (seen != UINT32_MAX) {
        uint32_t run = next_run(boundaries, seen);
        seen |= run;
        find_parts(survey, offset, run);
        lengthen(survey, offset, ret, seen);
    }
}
