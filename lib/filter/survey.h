/* SPDX-License-Identifier: Apache-2.0
 *
 * What a program can possibly find out about its input: the list of its tests. Two inputs that
 * answer every test of the list alike get the same answer from the program. The proof rests on
 * this.
 */
#ifndef LAZ_FILTER_SURVEY_H
#define LAZ_FILTER_SURVEY_H

#include "core/bpf.h"
#include "policy/image.h"

#define LAZ_SURVEY_TESTS_MAX 8192  /* of one filter, or of one call in policy and filter */
#define LAZ_VALUES_MAX       16384 /* of one word */

struct laz_values {
    size_t n;
    bool is_full; /* some are missing */
    uint32_t items[LAZ_VALUES_MAX];
};

/* (word & mask) == k, or, if is_order, (word & mask) >= k. */
struct laz_word_test {
    uint32_t offset; /* of the word in struct seccomp_data */
    uint32_t mask;
    uint32_t k;
    bool is_order;
};

/* What the accumulator holds in front of an instruction. */
struct laz_word_state {
    bool is_reached;
    bool is_mixed; /* different things, depending on the way */
    uint32_t offset;
    uint32_t mask;
};

struct laz_survey {
    size_t n;
    bool is_full;    /* tests are missing: nothing follows from the list */
    bool is_unclear; /* what a test looks at depends on the way to it: nothing follows, either */
    struct laz_word_test tests[LAZ_SURVEY_TESTS_MAX];
    struct laz_word_state states[LAZ_IMAGE_BPF_MAX]; /* for laz_survey_program */
    struct laz_values parts;                         /* for laz_survey_values, as the next one */
    struct laz_values longer;
};

/* No test yet. Large: both leave what is behind the counters as it is. */
void laz_survey_init(struct laz_survey *survey);
void laz_values_init(struct laz_values *values);

void laz_survey_add(struct laz_survey *survey, struct laz_word_test test);

/* Add all tests that a valid program may make; if `known` is given, those that it may make at this
 * architecture and number. */
void laz_survey_program(struct laz_survey *survey, const struct sock_filter *insns, size_t n,
        const struct seccomp_data *known);

/* One value of each kind of values that the tests of a word can tell apart; ret->is_full if they
 * are too many. For any value of the word there is one here that answers all its tests alike. */
void laz_survey_values(struct laz_survey *survey, uint32_t offset, struct laz_values *ret);

/* Unless it is there. */
void laz_values_add(struct laz_values *values, uint32_t value);

bool laz_word_test_holds(const struct laz_word_test *test, uint32_t word);

#endif
