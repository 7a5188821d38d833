/* SPDX-License-Identifier: Apache-2.0
 *
 * A filter on its way from policy to BPF: a graph of branches. A branch looks at one word of struct
 * seccomp_data, masks it, and leads each of its values to another branch or to an answer. Building
 * one through laz_graph_branch keeps the graph small: branches on the same word melt into one,
 * equal branches are one, and a branch that cannot make a difference is none.
 * docs/explanation/filters.md.
 */
#ifndef LAZ_FILTER_GRAPH_H
#define LAZ_FILTER_GRAPH_H

#include "filter/filter.h"

/* Ceilings, far above what fits into LAZ_IMAGE_BPF_MAX instructions. */
#define LAZ_GRAPH_BRANCHES_MAX 8192
#define LAZ_GRAPH_PIECES_MAX   131072

struct laz_target {
    bool is_return;
    uint32_t value; /* the answer, or the index of a branch */
};

/* Values from `first` up to the next piece lead to `to`. */
struct laz_piece {
    uint32_t first;
    struct laz_target to;
};

/* Invariant: at least two pieces, first values ascending from 0 and possible under the mask,
 * neighbours with different targets, targets with smaller indices, no target on the same word. */
struct laz_branch {
    uint32_t offset; /* into struct seccomp_data */
    uint32_t mask;
    uint32_t n;
    uint32_t at; /* index of its first piece */
};

struct laz_graph {
    size_t n_branches;
    size_t n_pieces;
    bool full; /* something did not fit: the graph is useless */
    struct laz_branch branches[LAZ_GRAPH_BRANCHES_MAX];
    struct laz_piece pieces[LAZ_GRAPH_PIECES_MAX];
};

struct laz_target laz_graph_return(uint32_t answer);

/* Where to go to look at the word. `pieces` ascend from 0; the firsts are possible under the mask.
 */
struct laz_target laz_graph_branch(struct laz_graph *graph, uint32_t offset, uint32_t mask,
        const struct laz_piece *pieces, size_t n);

bool laz_target_is_same(struct laz_target a, struct laz_target b);

/* The next larger value with no bit outside the mask; 0 after the last one. */
uint32_t laz_mask_next(uint32_t mask, uint32_t value);

/* As BPF. LAZ_E_POLICY_TOO_LARGE if it does not fit. */
LAZ_MUST_CHECK int laz_graph_emit(const struct laz_graph *graph, struct laz_target root,
        struct laz_filter *ret, struct laz_err *err);

#endif
