/* SPDX-License-Identifier: Apache-2.0
 *
 * A pattern's text as a program for a stack: operands first, then what joins them, with all
 * repetitions written out. For pattern.c alone.
 */
#ifndef LAZ_CORE_PATTERN_PARSE_H
#define LAZ_CORE_PATTERN_PARSE_H

#include "core/pattern.h"

#define LAZ_PATTERN_STEPS_MAX 2048
#define LAZ_PATTERN_PLACES    512 /* of the pattern, with the one in front of all */

enum laz_pattern_op {
    LAZ_PATTERN_SET,   /* one byte of a set */
    LAZ_PATTERN_BEGIN, /* ^ */
    LAZ_PATTERN_END,   /* $ */
    LAZ_PATTERN_EMPTY, /* nothing, which is everywhere */
    LAZ_PATTERN_CAT,   /* the two operands, one behind the other */
    LAZ_PATTERN_ALT,   /* one of the two */
    LAZ_PATTERN_STAR,
    LAZ_PATTERN_PLUS,
    LAZ_PATTERN_OPTION,
};

struct laz_pattern_step {
    uint8_t op;
    uint8_t set; /* which of the program's, for LAZ_PATTERN_SET */
};

struct laz_pattern_set {
    uint64_t bits[4];
};

struct laz_pattern_program {
    struct laz_pattern_step steps[LAZ_PATTERN_STEPS_MAX];
    size_t n_steps;
    size_t n_places; /* steps that are operands, EMPTY excepted */
    struct laz_pattern_set sets[LAZ_PATTERN_TEXT_MAX];
    size_t n_sets;
};

static inline bool laz_pattern_set_has(const struct laz_pattern_set *set, unsigned byte)
{
    return (set->bits[byte / 64] >> (byte % 64) & 1) != 0;
}

/* `program` is zero. Errors as laz_pattern_new. */
LAZ_MUST_CHECK int laz_pattern_parse(const char *text, enum laz_pattern_use use,
        struct laz_pattern_program *program, struct laz_err *err);

#endif
