/* SPDX-License-Identifier: Apache-2.0
 *
 * Unions of cubes: what is in both of two, and what fulfils a condition.
 */
#include "filter/cubes.h"

static bool contains(const struct laz_cube *outer, const struct laz_cube *inner)
{
    for (size_t i = 0; i < 6; i++) {
        if ((outer->mask[i] & ~inner->mask[i]) != 0 ||
                (inner->value[i] & outer->mask[i]) != outer->value[i]) {
            return false;
        }
    }
    return true;
}

/* One more, unless it is there; those that it contains go. */
void laz_region_add(struct laz_region *region, const struct laz_cube *cube)
{
    size_t kept = 0;
    for (size_t i = 0; i < region->n; i++) {
        if (contains(&region->items[i], cube)) {
            return;
        }
    }
    for (size_t i = 0; i < region->n; i++) {
        if (!contains(cube, &region->items[i])) {
            region->items[kept++] = region->items[i];
        }
    }
    region->n = kept;
    if (region->n == LAZ_PROFILE_CUBES_MAX) {
        region->is_full = true;
        return;
    }
    region->items[region->n++] = *cube;
}

void laz_region_join(struct laz_region *region, const struct laz_region *other)
{
    region->is_full = region->is_full || other->is_full;
    for (size_t i = 0; i < other->n; i++) {
        laz_region_add(region, &other->items[i]);
    }
}

void laz_region_clear(struct laz_region *region)
{
    region->n = 0;
    region->is_full = false;
}

void laz_region_fill(struct laz_region *region)
{
    const struct laz_cube whole = {.mask = {0}};
    laz_region_clear(region);
    laz_region_add(region, &whole);
}

/* false: nothing is in both. */
static bool meet_cubes(const struct laz_cube *a, const struct laz_cube *b, struct laz_cube *ret)
{
    for (size_t i = 0; i < 6; i++) {
        uint64_t both = a->mask[i] & b->mask[i];
        if (((a->value[i] ^ b->value[i]) & both) != 0) {
            return false;
        }
        ret->mask[i] = a->mask[i] | b->mask[i];
        ret->value[i] = a->value[i] | b->value[i];
    }
    return true;
}

/* What is in both, into ret, which is neither. */
void laz_region_meet(const struct laz_region *a, const struct laz_region *b, struct laz_region *ret)
{
    laz_region_clear(ret);
    ret->is_full = a->is_full || b->is_full;
    for (size_t i = 0; i < a->n && !ret->is_full; i++) {
        for (size_t k = 0; k < b->n; k++) {
            struct laz_cube cube;
            if (meet_cubes(&a->items[i], &b->items[k], &cube)) {
                laz_region_add(ret, &cube);
            }
        }
    }
}

/* ---- Conditions ---- */

static bool has_prefix(const struct laz_cond *condition, uint64_t bits, uint64_t prefix)
{
    size_t i = 0;
    while (i < condition->n_values && (condition->values[i] & bits) != prefix) {
        i++;
    }
    return i < condition->n_values;
}

/* None of the values: beside the way to each of them, every branch that leads to no other. */
static void add_none(struct laz_region *region, const struct laz_cond *condition)
{
    if (condition->n_values == 0) {
        laz_region_fill(region);
    }
    for (size_t i = 0; i < condition->n_values; i++) {
        uint64_t bits = 0;
        for (unsigned b = 64; b-- > 0;) {
            uint64_t bit = UINT64_C(1) << b;
            if ((condition->mask & bit) == 0) {
                continue;
            }
            bits |= bit;
            uint64_t branch = (condition->values[i] ^ bit) & bits;
            if (!has_prefix(condition, bits, branch)) {
                struct laz_cube cube = {.mask = {0}};
                cube.mask[condition->arg] = bits;
                cube.value[condition->arg] = branch;
                laz_region_add(region, &cube);
            }
        }
    }
}

static void add_any(struct laz_region *region, const struct laz_cond *condition)
{
    for (size_t i = 0; i < condition->n_values; i++) {
        struct laz_cube cube = {.mask = {0}};
        cube.mask[condition->arg] = condition->mask;
        cube.value[condition->arg] = condition->values[i];
        laz_region_add(region, &cube);
    }
}

void laz_region_add_condition(
        struct laz_region *region, const struct laz_cond *condition, bool is_not)
{
    if (condition->negate != is_not) {
        add_none(region, condition);
    } else {
        add_any(region, condition);
    }
}
