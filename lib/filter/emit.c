/* SPDX-License-Identifier: Apache-2.0
 *
 * Graph of branches to BPF. Classic BPF jumps forward only, so instructions are written from the
 * end of the program towards its start: every jump target is then known before the jump is written.
 * Must never emit what laz_bpf_is_valid refuses.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "filter/graph.h"
#include "policy/image.h"

/* A conditional jump has 8 bits for its distance. One less than they hold: while one target of a
 * jump is brought near, the other may move away by an instruction. */
#define NEAR 254

/* Tests for single values before the next bisection. More of them make the filter shorter and its
 * paths longer; with two, both are within a few percent of their best for the built-in policies. */
#define SINGLES_MAX 2

/* Pieces of one branch. Every two of them take an instruction, so this is no ceiling of its own. */
#define PIECES_MAX (2 * LAZ_IMAGE_BPF_MAX)

/* Where to jump: an answer, or an instruction that is written already, by its index in the reversed
 * program. */
struct place {
    bool is_return;
    uint32_t value;
};

/* A run of pieces that is decided without bisection: all values lead to `rest`, single ones
 * excepted. */
struct leaf {
    uint32_t end;  /* index of the first piece behind it */
    uint32_t cost; /* instructions for this leaf and all behind it */
    struct laz_target rest;
};

/* One entry of the bisection: values from `first` on are decided at `to`. */
struct step {
    uint32_t first;
    struct place to;
};

struct emitter {
    const struct laz_graph *graph;
    size_t n;
    bool full;
    struct sock_filter reversed[LAZ_IMAGE_BPF_MAX]; /* the last instruction first */
    uint32_t entry[LAZ_GRAPH_BRANCHES_MAX];         /* of each branch that is written */
    bool is_used[LAZ_GRAPH_BRANCHES_MAX];
    struct leaf leaves[PIECES_MAX + 1]; /* the best leaf that begins at each piece */
    struct step steps[PIECES_MAX];
};

static void put(struct emitter *emitter, struct sock_filter insn)
{
    if (emitter->n == LAZ_IMAGE_BPF_MAX) {
        emitter->full = true;
        return;
    }
    emitter->reversed[emitter->n++] = insn;
}

/* How many instructions lie between the next one to be written and one that is. */
static uint32_t distance(const struct emitter *emitter, uint32_t to)
{
    return (uint32_t)emitter->n - 1 - to;
}

static struct place place_of(const struct emitter *emitter, struct laz_target to)
{
    return (struct place){
            .is_return = to.is_return, .value = to.is_return ? to.value : emitter->entry[to.value]};
}

/* The nearest return of this answer, or -1 if all are too far. */
static int find_return(const struct emitter *emitter, uint32_t answer)
{
    size_t lowest = emitter->n > NEAR ? emitter->n - NEAR : 0;
    for (size_t i = emitter->n; i-- > lowest;) {
        const struct sock_filter *insn = &emitter->reversed[i];
        if (insn->code == (BPF_RET | BPF_K) && insn->k == answer) {
            return (int)i;
        }
    }
    return -1;
}

/* The index of an instruction that leads to the place and that a conditional jump reaches. Returns
 * are shared, and written again where the last one is too far; other places get a long jump. */
static uint32_t bring_near(struct emitter *emitter, struct place place)
{
    if (place.is_return) {
        int found = find_return(emitter, place.value);
        if (found >= 0) {
            return (uint32_t)found;
        }
        put(emitter, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, place.value));
    } else if (distance(emitter, place.value) <= NEAR) {
        return place.value;
    } else {
        put(emitter,
                (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, distance(emitter, place.value)));
    }
    return (uint32_t)emitter->n - 1;
}

static struct place put_jump(struct emitter *emitter, uint16_t operation, uint32_t k,
        struct place if_true, struct place if_false)
{
    uint32_t yes = bring_near(emitter, if_true);
    uint32_t no = bring_near(emitter, if_false);
    assert(distance(emitter, yes) <= UINT8_MAX && distance(emitter, no) <= UINT8_MAX);
    put(emitter,
            (struct sock_filter){.code = (uint16_t)(BPF_JMP | operation | BPF_K),
                    .jt = (uint8_t)distance(emitter, yes),
                    .jf = (uint8_t)distance(emitter, no),
                    .k = k});
    return (struct place){.value = (uint32_t)emitter->n - 1};
}

/* ---- One branch: which of its pieces does the accumulator lie in? ---- */

static bool is_single(const struct laz_branch *branch, const struct laz_piece *pieces, uint32_t i)
{
    uint32_t end = i + 1 < branch->n ? pieces[i + 1].first : 0;
    return laz_mask_next(branch->mask, pieces[i].first) == end;
}

/* Try all leaves from piece `begin` on whose values lead to `rest` unless tested one by one. */
static void try_leaves(struct emitter *emitter, const struct laz_branch *branch, uint32_t begin,
        struct laz_target rest)
{
    const struct laz_piece *pieces = &emitter->graph->pieces[branch->at];
    struct leaf *best = &emitter->leaves[begin];
    uint32_t n_tests = 0;
    for (uint32_t i = begin; i < branch->n; i++) {
        if (!laz_target_is_same(pieces[i].to, rest)) {
            n_tests++;
            if (n_tests > SINGLES_MAX || !is_single(branch, pieces, i)) {
                return;
            }
        }
        uint32_t cost = n_tests + 1 + emitter->leaves[i + 1].cost;
        if (cost < best->cost) {
            *best = (struct leaf){.end = i + 1, .cost = cost, .rest = rest};
        }
    }
}

/* Cut the branch into leaves so that the fewest instructions are needed: tests of single values,
 * and one bisection between each two leaves. Bisecting alone takes two for each value that stands
 * out. */
static void cut_leaves(struct emitter *emitter, const struct laz_branch *branch)
{
    const struct laz_piece *pieces = &emitter->graph->pieces[branch->at];
    emitter->leaves[branch->n].cost = 0;
    for (uint32_t i = branch->n; i-- > 0;) {
        emitter->leaves[i].cost = UINT32_MAX;
        try_leaves(emitter, branch, i, pieces[i].to);
        if (i + 1 < branch->n) {
            try_leaves(emitter, branch, i, pieces[i + 1].to);
        }
    }
}

static struct place put_leaf(
        struct emitter *emitter, const struct laz_branch *branch, uint32_t begin)
{
    const struct laz_piece *pieces = &emitter->graph->pieces[branch->at];
    const struct leaf *leaf = &emitter->leaves[begin];
    struct place place = place_of(emitter, leaf->rest);
    for (uint32_t i = leaf->end; i-- > begin;) {
        if (!laz_target_is_same(pieces[i].to, leaf->rest)) {
            struct place hit = place_of(emitter, pieces[i].to);
            place = put_jump(emitter, BPF_JEQ, pieces[i].first, hit, place);
        }
    }
    return place;
}

/* The tree of bisections, from its leaves to its root: join neighbours until one is left. */
static struct place put_tree(struct emitter *emitter, const struct laz_branch *branch)
{
    const struct laz_piece *pieces = &emitter->graph->pieces[branch->at];
    struct step *steps = emitter->steps;
    uint32_t n = 0;
    for (uint32_t i = 0; i < branch->n; i = emitter->leaves[i].end) {
        steps[n++] = (struct step){.first = pieces[i].first, .to = put_leaf(emitter, branch, i)};
    }
    while (n > 1) {
        uint32_t joined = 0;
        for (uint32_t i = 0; i + 1 < n; i += 2) {
            struct place to =
                    put_jump(emitter, BPF_JGE, steps[i + 1].first, steps[i + 1].to, steps[i].to);
            steps[joined++] = (struct step){.first = steps[i].first, .to = to};
        }
        if (n % 2 == 1) {
            steps[joined++] = steps[n - 1];
        }
        n = joined;
    }
    return steps[0].to;
}

/* Is it "none of these bits set, or any"? Then one JSET does what AND and comparisons would. */
static bool is_any_bit(const struct laz_branch *branch, const struct laz_piece *pieces)
{
    return branch->n == 2 && pieces[1].first == laz_mask_next(branch->mask, 0);
}

/* Everything jumps here with an accumulator that it has no use for, so each branch loads its own.
 */
static void put_branch(struct emitter *emitter, uint32_t index)
{
    const struct laz_branch *branch = &emitter->graph->branches[index];
    const struct laz_piece *pieces = &emitter->graph->pieces[branch->at];
    if (branch->n > PIECES_MAX) {
        emitter->full = true;
        return;
    }
    if (branch->mask != UINT32_MAX && is_any_bit(branch, pieces)) {
        (void)put_jump(emitter, BPF_JSET, branch->mask, place_of(emitter, pieces[1].to),
                place_of(emitter, pieces[0].to));
    } else {
        cut_leaves(emitter, branch);
        struct place root = put_tree(emitter, branch);
        assert(!root.is_return && (emitter->full || root.value == emitter->n - 1));
        if (branch->mask != UINT32_MAX) {
            put(emitter, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, branch->mask));
        }
    }
    put(emitter, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, branch->offset));
    emitter->entry[index] = (uint32_t)emitter->n - 1;
}

/* ---- The whole graph ---- */

/* Branches that nothing leads to any more, because they were merged into others, are left out. */
static void mark_used(struct emitter *emitter, uint32_t root)
{
    emitter->is_used[root] = true;
    for (uint32_t i = root + 1; i-- > 0;) { /* targets have smaller indices */
        const struct laz_branch *branch = &emitter->graph->branches[i];
        for (uint32_t j = 0; emitter->is_used[i] && j < branch->n; j++) {
            struct laz_target to = emitter->graph->pieces[branch->at + j].to;
            if (!to.is_return) {
                emitter->is_used[to.value] = true;
            }
        }
    }
}

static void put_graph(struct emitter *emitter, struct laz_target root)
{
    if (root.is_return) {
        put(emitter, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, root.value));
        return;
    }
    mark_used(emitter, root.value);
    for (uint32_t i = 0; i <= root.value && !emitter->full; i++) {
        if (emitter->is_used[i]) {
            put_branch(emitter, i);
        }
    }
}

/* The longest way from each instruction to a return, counted backwards from the end. */
static uint32_t longest_path(const struct sock_filter *insns, size_t n)
{
    uint16_t steps[LAZ_IMAGE_BPF_MAX];
    for (size_t i = n; i-- > 0;) {
        steps[i] = 1;
        const struct sock_filter *insn = &insns[i];
        if (insn->code == (BPF_RET | BPF_K)) {
            continue;
        }
        uint16_t after = steps[i + 1];
        if (insn->code == (BPF_JMP | BPF_JA)) {
            after = steps[i + 1 + insn->k];
        } else if (BPF_CLASS(insn->code) == BPF_JMP) {
            uint16_t yes = steps[i + 1 + insn->jt];
            uint16_t no = steps[i + 1 + insn->jf];
            after = yes > no ? yes : no;
        }
        steps[i] = (uint16_t)(after + 1);
    }
    return steps[0];
}

static int take_program(const struct emitter *emitter, struct laz_filter *ret, struct laz_err *err)
{
    if (emitter->full) {
        return laz_err_set(err, LAZ_E_POLICY_TOO_LARGE, 0,
                "the system-call filter needs more than %d instructions: use fewer conditions",
                LAZ_IMAGE_BPF_MAX);
    }
    struct sock_filter *insns = calloc(emitter->n, sizeof(*insns));
    if (insns == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a filter");
    }
    for (size_t i = 0; i < emitter->n; i++) {
        insns[i] = emitter->reversed[emitter->n - 1 - i];
    }
    assert(laz_bpf_is_valid(insns, emitter->n));
    *ret = (struct laz_filter){
            .n = emitter->n, .insns = insns, .longest_path = longest_path(insns, emitter->n)};
    return 0;
}

int laz_graph_emit(const struct laz_graph *graph, struct laz_target root, struct laz_filter *ret,
        struct laz_err *err)
{
    struct emitter *emitter = calloc(1, sizeof(*emitter)); /* 200 KB, of which a few are touched */
    if (emitter == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory to compile a filter");
    }
    emitter->graph = graph;
    emitter->full = graph->full;
    if (!emitter->full) {
        put_graph(emitter, root);
    }
    int result = take_program(emitter, ret, err);
    free(emitter);
    return result;
}
