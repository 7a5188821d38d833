/* SPDX-License-Identifier: Apache-2.0
 *
 * Sets of the arguments of a call, as unions of cubes. A cube is one rule of a seccomp profile: of
 * masked equalities alone, all of which hold.
 */
#ifndef LAZ_FILTER_CUBES_H
#define LAZ_FILTER_CUBES_H

#include "filter/profile.h"

/* Per argument (value & mask) == value; a mask of 0 asks nothing. */
struct laz_cube {
    uint64_t mask[6];
    uint64_t value[6];
};

/* A union. Invariant: n <= LAZ_PROFILE_CUBES_MAX; is_full: there would have been more. */
struct laz_region {
    size_t n;
    bool is_full;
    struct laz_cube items[LAZ_PROFILE_CUBES_MAX];
};

void laz_region_clear(struct laz_region *region);
/* Everything. */
void laz_region_fill(struct laz_region *region);

/* One more, unless it is there; those that it contains go. */
void laz_region_add(struct laz_region *region, const struct laz_cube *cube);
void laz_region_join(struct laz_region *region, const struct laz_region *other);

/* What is in both, into ret, which is neither. */
void laz_region_meet(
        const struct laz_region *a, const struct laz_region *b, struct laz_region *ret);

/* Where the condition holds, or, if is_not, where it does not. */
void laz_region_add_condition(
        struct laz_region *region, const struct laz_cond *condition, bool is_not);

#endif
