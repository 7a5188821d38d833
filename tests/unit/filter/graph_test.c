/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/filter/graph: branches are shared where they are equal, and left out where they decide
 * nothing.
 */
#include "filter/graph.h"

#include <errno.h>
#include <linux/seccomp.h>

#include <criterion/criterion.h>

#define ALLOW  SECCOMP_RET_ALLOW
#define REFUSE (SECCOMP_RET_ERRNO | EPERM)

Test(mask_next, counts_within_the_mask)
{
    const struct {
        uint32_t mask;
        uint32_t value;
        uint32_t wanted;
    } rows[] = {{UINT32_MAX, 5, 6}, {UINT32_MAX, UINT32_MAX, 0}, {0xf0, 0, 0x10}, {0xf0, 0xf0, 0},
            {0x80000001, 1, 0x80000000}, {0x80000001, 0x80000000, 0x80000001}, {0x5, 1, 4},
            {0, 0, 0}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cr_expect_eq(laz_mask_next(rows[i].mask, rows[i].value), rows[i].wanted, "row %zu", i);
    }
}

Test(graph_branch, is_none_where_all_ways_lead_to_one_place)
{
    static struct laz_graph graph;
    const struct laz_target to = laz_graph_return(ALLOW);
    const struct laz_piece pieces[] = {{0, to}, {7, to}, {8, to}};
    struct laz_target got = laz_graph_branch(&graph, 16, UINT32_MAX, pieces, 3);
    cr_assert(laz_target_is_same(got, to));
    cr_assert_eq(graph.n_branches, 0);
}

Test(graph_branch, is_shared_with_its_equal)
{
    static struct laz_graph graph;
    const struct laz_piece pieces[] = {{0, laz_graph_return(ALLOW)}, {7, laz_graph_return(REFUSE)}};
    struct laz_target first = laz_graph_branch(&graph, 16, UINT32_MAX, pieces, 2);
    cr_assert(laz_target_is_same(first, laz_graph_branch(&graph, 16, UINT32_MAX, pieces, 2)));
    cr_assert_not(laz_target_is_same(first, laz_graph_branch(&graph, 24, UINT32_MAX, pieces, 2)));
    cr_assert_not(laz_target_is_same(first, laz_graph_branch(&graph, 16, 0xff, pieces, 2)));
}

Test(graph_branch, takes_over_what_a_branch_on_the_same_word_decides)
{
    static struct laz_graph graph;
    const struct laz_target allow = laz_graph_return(ALLOW);
    const struct laz_target refuse = laz_graph_return(REFUSE);
    const struct laz_piece inner[] = {{0, refuse}, {10, allow}, {20, refuse}};
    struct laz_target to = laz_graph_branch(&graph, 16, UINT32_MAX, inner, 3);
    const struct laz_piece outer[] = {{0, to}, {12, refuse}, {15, to}};
    to = laz_graph_branch(&graph, 16, UINT32_MAX, outer, 3);
    const struct laz_branch *branch = &graph.branches[to.value];
    const uint32_t firsts[] = {0, 10, 12, 15, 20};
    cr_assert_eq(branch->n, 5);
    for (uint32_t i = 0; i < 5; i++) {
        const struct laz_piece *piece = &graph.pieces[branch->at + i];
        cr_expect_eq(piece->first, firsts[i]);
        cr_expect(laz_target_is_same(piece->to, i % 2 == 0 ? refuse : allow));
    }
}
