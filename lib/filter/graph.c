/* SPDX-License-Identifier: Apache-2.0
 *
 * Builds the graph of branches. Must never change what a branch decides, only how often it is
 * asked.
 */
#include "filter/graph.h"

struct laz_target laz_graph_return(uint32_t answer)
{
    return (struct laz_target){.is_return = true, .value = answer};
}

bool laz_target_is_same(struct laz_target a, struct laz_target b)
{
    return a.is_return == b.is_return && a.value == b.value;
}

uint32_t laz_mask_next(uint32_t mask, uint32_t value)
{
    return ((value | ~mask) + 1) & mask; /* the ones outside the mask carry the 1 across */
}

/* Append a piece to the branch that is being built behind the last one. */
static void add(struct laz_graph *graph, struct laz_branch *branch, struct laz_piece piece)
{
    struct laz_piece *pieces = &graph->pieces[branch->at];
    if (branch->n > 0 && laz_target_is_same(pieces[branch->n - 1].to, piece.to)) {
        return;
    }
    if (branch->at + branch->n == LAZ_GRAPH_PIECES_MAX) {
        graph->full = true;
        return;
    }
    pieces[branch->n++] = piece;
}

/* What another branch on the same word would decide about the values of one piece is known already:
 * take its pieces over, from `piece` up to before `end` (0: no end). */
static void add_through(
        struct laz_graph *graph, struct laz_branch *branch, struct laz_piece piece, uint32_t end)
{
    const struct laz_branch *other = &graph->branches[piece.to.value];
    for (uint32_t i = 0; i < other->n; i++) {
        struct laz_piece next = graph->pieces[other->at + i];
        bool is_last = i + 1 == other->n;
        if (!is_last && graph->pieces[other->at + i + 1].first <= piece.first) {
            continue; /* wholly before */
        }
        if (end != 0 && next.first >= end) {
            break;
        }
        if (next.first < piece.first) {
            next.first = piece.first;
        }
        add(graph, branch, next);
    }
}

static bool is_on(
        const struct laz_graph *graph, struct laz_target to, uint32_t offset, uint32_t mask)
{
    if (to.is_return) {
        return false;
    }
    const struct laz_branch *branch = &graph->branches[to.value];
    return branch->offset == offset && branch->mask == mask;
}

static bool is_equal(
        const struct laz_graph *graph, const struct laz_branch *a, const struct laz_branch *b)
{
    if (a->offset != b->offset || a->mask != b->mask || a->n != b->n) {
        return false;
    }
    for (uint32_t i = 0; i < a->n; i++) {
        const struct laz_piece *x = &graph->pieces[a->at + i];
        const struct laz_piece *y = &graph->pieces[b->at + i];
        if (x->first != y->first || !laz_target_is_same(x->to, y->to)) {
            return false;
        }
    }
    return true;
}

/* Keep a new branch, unless there is one like it: socket and socketpair share theirs. */
static struct laz_target keep(struct laz_graph *graph, const struct laz_branch *branch)
{
    for (size_t i = 0; i < graph->n_branches; i++) {
        if (is_equal(graph, &graph->branches[i], branch)) {
            return (struct laz_target){.value = (uint32_t)i};
        }
    }
    if (graph->n_branches == LAZ_GRAPH_BRANCHES_MAX) {
        graph->full = true;
        return laz_graph_return(0);
    }
    graph->branches[graph->n_branches] = *branch;
    graph->n_pieces += branch->n;
    return (struct laz_target){.value = (uint32_t)graph->n_branches++};
}

struct laz_target laz_graph_branch(struct laz_graph *graph, uint32_t offset, uint32_t mask,
        const struct laz_piece *pieces, size_t n)
{
    struct laz_branch branch = {.offset = offset, .mask = mask, .at = (uint32_t)graph->n_pieces};
    for (size_t i = 0; i < n; i++) {
        uint32_t end = i + 1 < n ? pieces[i + 1].first : 0;
        if (is_on(graph, pieces[i].to, offset, mask)) {
            add_through(graph, &branch, pieces[i], end);
        } else {
            add(graph, &branch, pieces[i]);
        }
    }
    if (graph->full) {
        return laz_graph_return(0); /* SECCOMP_RET_KILL_THREAD; nobody gets to see it */
    }
    if (branch.n == 1) {
        return graph->pieces[branch.at].to; /* all values lead there */
    }
    return keep(graph, &branch);
}
