/* SPDX-License-Identifier: Apache-2.0
 *
 * From a pattern's program to its table. Each operand is a place; which places can follow which
 * makes an automaton without empty moves (Glushkov's construction), and the sets of places that can
 * be reached together are the rows of the table. Running it allocates nothing and cannot fail.
 */
#include "core/pattern.h"

#include <stdlib.h>

#include "core/pattern_parse.h"

#define WORDS     (LAZ_PATTERN_PLACES / 64)
#define DEAD      0
#define START     1
#define SLOTS     2048 /* of the hash of rows: a power of two, twice the rows */
#define DEPTH_MAX 512  /* operands that wait */
#define UNBOUNDED SIZE_MAX

struct laz_pattern {
    enum laz_pattern_use use;
    size_t shortest;
    size_t longest;
    uint8_t class_of[256];
    size_t n_classes; /* at most 256 */
    size_t n_states;
    bool accepts[LAZ_PATTERN_STATES_MAX];
    bool accepts_end[LAZ_PATTERN_STATES_MAX]; /* if the text ends here */
    uint16_t next[];                          /* [state * n_classes + class] */
};

struct places {
    uint64_t bits[WORDS];
};

/* An operand on the stack. */
struct piece {
    struct places first;
    struct places last;
    bool nullable;
    size_t shortest;
    size_t longest;
};

struct builder {
    struct laz_pattern_program program;
    struct places follow[LAZ_PATTERN_PLACES];
    struct piece stack[DEPTH_MAX];
    size_t depth;
    size_t n_places; /* place 0 is in front of the pattern */
    struct places begins;
    struct places ends;
    struct places of_class[256];
    struct places of_set[LAZ_PATTERN_TEXT_MAX];
    struct places accepting;
    bool searches; /* a match may begin further on */
    struct places states[LAZ_PATTERN_STATES_MAX];
    uint16_t slots[SLOTS];
};

/* ---- Sets of places ---- */

static void add(struct places *set, size_t place)
{
    set->bits[place / 64] |= UINT64_C(1) << (place % 64);
}

static void add_all(struct places *set, const struct places *other)
{
    for (size_t i = 0; i < WORDS; i++) {
        set->bits[i] |= other->bits[i];
    }
}

static bool have_common(const struct places *a, const struct places *b)
{
    uint64_t common = 0;
    for (size_t i = 0; i < WORDS; i++) {
        common |= a->bits[i] & b->bits[i];
    }
    return common != 0;
}

/* Behind each of `set` may come each of `other`. */
static void add_to_follow(
        struct builder *builder, const struct places *set, const struct places *other)
{
    for (size_t i = 0; i < WORDS; i++) {
        for (uint64_t left = set->bits[i]; left != 0; left &= left - 1) {
            add_all(&builder->follow[64 * i + (size_t)__builtin_ctzll(left)], other);
        }
    }
}

/* The places that may follow on any of `set`. */
static struct places following(const struct builder *builder, const struct places *set)
{
    struct places result = {0};
    for (size_t i = 0; i < WORDS; i++) {
        for (uint64_t left = set->bits[i]; left != 0; left &= left - 1) {
            add_all(&result, &builder->follow[64 * i + (size_t)__builtin_ctzll(left)]);
        }
    }
    return result;
}

/* Add what can be reached over the anchors of `anchors`, without a byte. */
static void add_over_anchors(
        const struct builder *builder, const struct places *anchors, struct places *set)
{
    for (bool grows = true; grows;) {
        struct places before = *set;
        struct places found = following(builder, set);
        for (size_t i = 0; i < WORDS; i++) {
            set->bits[i] |= found.bits[i] & anchors->bits[i];
        }
        grows = memcmp(&before, set, sizeof(before)) != 0;
    }
}

/* ---- Which place follows on which ---- */

static size_t sum(size_t a, size_t b)
{
    return a == UNBOUNDED || b == UNBOUNDED ? UNBOUNDED : a + b;
}

static void push_place(struct builder *builder, const struct laz_pattern_step *step)
{
    struct piece *piece = &builder->stack[builder->depth++];
    size_t place = builder->n_places++;
    *piece = (struct piece){0};
    add(&piece->first, place);
    add(&piece->last, place);
    if (step->op == LAZ_PATTERN_SET) {
        piece->shortest = 1;
        piece->longest = 1;
        add(&builder->of_set[step->set], place);
    } else {
        add(step->op == LAZ_PATTERN_BEGIN ? &builder->begins : &builder->ends, place);
    }
}

static void join(struct builder *builder)
{
    struct piece *b = &builder->stack[--builder->depth];
    struct piece *a = &builder->stack[builder->depth - 1];
    add_to_follow(builder, &a->last, &b->first);
    if (a->nullable) {
        add_all(&a->first, &b->first);
    }
    if (b->nullable) {
        add_all(&a->last, &b->last);
    } else {
        a->last = b->last;
    }
    a->nullable = a->nullable && b->nullable;
    a->shortest = sum(a->shortest, b->shortest);
    a->longest = sum(a->longest, b->longest);
}

static void choose(struct builder *builder)
{
    struct piece *b = &builder->stack[--builder->depth];
    struct piece *a = &builder->stack[builder->depth - 1];
    add_all(&a->first, &b->first);
    add_all(&a->last, &b->last);
    a->nullable = a->nullable || b->nullable;
    a->shortest = a->shortest < b->shortest ? a->shortest : b->shortest;
    a->longest = a->longest > b->longest ? a->longest : b->longest;
}

static void loop(struct builder *builder, enum laz_pattern_op op)
{
    struct piece *a = &builder->stack[builder->depth - 1];
    if (op != LAZ_PATTERN_OPTION) {
        add_to_follow(builder, &a->last, &a->first);
        a->longest = a->longest > 0 ? UNBOUNDED : 0;
    }
    if (op != LAZ_PATTERN_PLUS) {
        a->nullable = true;
        a->shortest = 0;
    }
}

/* Run the program. What is left on the stack is the pattern. */
static int run(struct builder *builder, struct laz_err *err)
{
    builder->n_places = 1;
    for (size_t i = 0; i < builder->program.n_steps; i++) {
        const struct laz_pattern_step *step = &builder->program.steps[i];
        if (builder->depth == DEPTH_MAX) {
            return laz_err_set(err, LAZ_E_POLICY_TOO_LARGE, 0, "the pattern is too complex");
        }
        switch ((enum laz_pattern_op)step->op) {
        case LAZ_PATTERN_SET:
        case LAZ_PATTERN_BEGIN:
        case LAZ_PATTERN_END:
            push_place(builder, step);
            break;
        case LAZ_PATTERN_EMPTY:
            builder->stack[builder->depth++] = (struct piece){.nullable = true};
            break;
        case LAZ_PATTERN_CAT:
            join(builder);
            break;
        case LAZ_PATTERN_ALT:
            choose(builder);
            break;
        case LAZ_PATTERN_STAR:
        case LAZ_PATTERN_PLUS:
        case LAZ_PATTERN_OPTION:
            loop(builder, (enum laz_pattern_op)step->op);
            break;
        }
    }
    builder->follow[0] = builder->stack[0].first;
    builder->accepting = builder->stack[0].last;
    if (builder->stack[0].nullable) {
        add(&builder->accepting, 0);
    }
    return 0;
}

/* ---- The table ---- */

/* Those of each class that are in the set become a class of their own, unless that is all of it. */
static void split_classes(struct laz_pattern *pattern, const struct laz_pattern_set *set)
{
    uint16_t split[256] = {0}; /* by the class that they leave; 0: none so far */
    bool has_others[256] = {false};
    for (unsigned byte = 0; byte < 256; byte++) {
        has_others[pattern->class_of[byte]] |= !laz_pattern_set_has(set, byte);
    }
    for (unsigned byte = 0; byte < 256; byte++) {
        uint8_t old = pattern->class_of[byte];
        if (!has_others[old] || !laz_pattern_set_has(set, byte)) {
            continue;
        }
        if (split[old] == 0) {
            split[old] = (uint16_t)pattern->n_classes++;
        }
        pattern->class_of[byte] = (uint8_t)split[old];
    }
}

/* Bytes that no set tells apart are one class. */
static void find_classes(struct laz_pattern *pattern, struct builder *builder)
{
    const struct laz_pattern_program *program = &builder->program;
    pattern->n_classes = 1;
    for (size_t i = 0; i < program->n_sets; i++) {
        split_classes(pattern, &program->sets[i]);
    }
    for (unsigned byte = 0; byte < 256; byte++) {
        for (size_t i = 0; i < program->n_sets; i++) {
            if (laz_pattern_set_has(&program->sets[i], byte)) {
                add_all(&builder->of_class[pattern->class_of[byte]], &builder->of_set[i]);
            }
        }
    }
}

/* The row of a set of places, made if it is new; LAZ_PATTERN_STATES_MAX if there is no room. */
static size_t row_of(struct laz_pattern *pattern, struct builder *builder, const struct places *set)
{
    uint64_t hash = 0;
    for (size_t i = 0; i < WORDS; i++) {
        hash = (hash ^ set->bits[i]) * UINT64_C(0x9E3779B97F4A7C15);
        hash ^= hash >> 29;
    }
    size_t slot = hash % SLOTS;
    while (builder->slots[slot] != 0) {
        size_t row = builder->slots[slot] - 1U;
        if (memcmp(&builder->states[row], set, sizeof(*set)) == 0) {
            return row;
        }
        slot = (slot + 1) % SLOTS;
    }
    if (pattern->n_states == LAZ_PATTERN_STATES_MAX) {
        return LAZ_PATTERN_STATES_MAX;
    }
    size_t row = pattern->n_states++;
    builder->states[row] = *set;
    if (row != START) { /* which is at ^, and no other row of the same places is */
        builder->slots[slot] = (uint16_t)(row + 1);
    }
    pattern->accepts[row] = have_common(set, &builder->accepting);
    struct places at_end = *set;
    struct places anchors = builder->ends;
    if (row == START) {
        add_all(&anchors, &builder->begins);
    }
    add_over_anchors(builder, &anchors, &at_end);
    pattern->accepts_end[row] = have_common(&at_end, &builder->accepting);
    return row;
}

static bool fill_row(struct laz_pattern *pattern, struct builder *builder, size_t row)
{
    bool is_found = pattern->use == LAZ_PATTERN_LINE && pattern->accepts[row];
    struct places reached = following(builder, &builder->states[row]);
    for (size_t i = 0; i < pattern->n_classes; i++) {
        struct places to = {0};
        for (size_t word = 0; word < WORDS && !is_found; word++) {
            to.bits[word] = reached.bits[word] & builder->of_class[i].bits[word];
        }
        if (builder->searches && !is_found) {
            add(&to, 0);
        }
        size_t target = row_of(pattern, builder, &to);
        if (target == LAZ_PATTERN_STATES_MAX) {
            return false;
        }
        pattern->next[row * pattern->n_classes + i] = (uint16_t)target;
    }
    return true;
}

static int fill_table(struct laz_pattern *pattern, struct builder *builder, struct laz_err *err)
{
    struct places set = {0};
    builder->searches = pattern->use == LAZ_PATTERN_LINE;
    if (builder->searches) { /* not where each match begins at ^: nothing begins further on */
        struct places later = builder->follow[0];
        for (size_t i = 0; i < WORDS; i++) {
            later.bits[i] &= ~builder->begins.bits[i];
        }
        builder->searches = have_common(&later, &later) ||
                have_common(&builder->accepting, &(struct places){{1}});
    }
    (void)row_of(pattern, builder, &set);
    add(&set, 0);
    add_over_anchors(builder, &builder->begins, &set);
    (void)row_of(pattern, builder, &set);
    for (size_t row = DEAD; row < pattern->n_states; row++) {
        bool fits = true;
        if (row > DEAD) {
            fits = fill_row(pattern, builder, row);
        } else {
            (void)memset(pattern->next, 0, pattern->n_classes * sizeof(pattern->next[0]));
        }
        if (!fits) {
            return laz_err_set(err, LAZ_E_POLICY_TOO_LARGE, 0,
                    "the pattern needs a table of more than %d rows", LAZ_PATTERN_STATES_MAX);
        }
    }
    return 0;
}

static int check_number(const struct piece *piece, struct laz_err *err)
{
    if (piece->shortest == 0) {
        return laz_err_set(err, LAZ_E_POLICY_INVALID, 0, "the pattern matches nothing at all too");
    }
    if (piece->longest > LAZ_PATTERN_NUMBER_MAX) {
        return laz_err_set(err, LAZ_E_POLICY_INVALID, 0,
                "the pattern matches more than %d bytes: say how often at most, as in {1,20}",
                LAZ_PATTERN_NUMBER_MAX);
    }
    return 0;
}

static int build(
        const char *text, struct builder *builder, struct laz_pattern *pattern, struct laz_err *err)
{
    if (laz_pattern_parse(text, pattern->use, &builder->program, err) < 0 ||
            run(builder, err) < 0) {
        return -1;
    }
    pattern->shortest = builder->stack[0].shortest;
    pattern->longest = builder->stack[0].longest;
    if (pattern->use == LAZ_PATTERN_NUMBER && check_number(&builder->stack[0], err) < 0) {
        return -1;
    }
    find_classes(pattern, builder);
    return fill_table(pattern, builder, err);
}

int laz_pattern_new(
        const char *text, enum laz_pattern_use use, struct laz_pattern **ret, struct laz_err *err)
{
    struct builder *builder = calloc(1, sizeof(*builder));
    size_t table = (size_t)LAZ_PATTERN_STATES_MAX * 256 * sizeof(uint16_t);
    struct laz_pattern *pattern = calloc(1, sizeof(*pattern) + table);
    if (builder == NULL || pattern == NULL) {
        free(builder);
        free(pattern);
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for a pattern");
    }
    pattern->use = use;
    int result = build(text, builder, pattern, err);
    free(builder);
    if (result < 0) {
        free(pattern);
        return -1;
    }
    table = pattern->n_states * pattern->n_classes * sizeof(uint16_t);
    struct laz_pattern *smaller = realloc(pattern, sizeof(*pattern) + table);
    *ret = smaller != NULL ? smaller : pattern;
    return 0;
}

void laz_pattern_free(struct laz_pattern *pattern)
{
    free(pattern);
}

/* ---- Running it ---- */

bool laz_pattern_is_in(const struct laz_pattern *pattern, const char *text, size_t length)
{
    size_t state = START;
    for (size_t i = 0; i < length && state != DEAD && !pattern->accepts[state]; i++) {
        state = pattern->next[state * pattern->n_classes +
                pattern->class_of[(unsigned char)text[i]]];
    }
    return pattern->accepts[state] || pattern->accepts_end[state];
}

size_t laz_pattern_reach(const struct laz_pattern *pattern, const char *text, size_t length)
{
    size_t state = START;
    size_t reached = 0;
    for (size_t i = 0; i < length; i++) {
        state = pattern->next[state * pattern->n_classes +
                pattern->class_of[(unsigned char)text[i]]];
        if (state == DEAD) {
            break;
        }
        bool in_word = i + 1 < length && laz_is_word(text[i]) && laz_is_word(text[i + 1]);
        reached = pattern->accepts[state] && !in_word ? i + 1 : reached;
    }
    return reached;
}

size_t laz_pattern_shortest(const struct laz_pattern *pattern)
{
    return pattern->shortest;
}

/* The rows that one byte leads to from any of `now`, and the bytes that lead anywhere. */
static void step_all(const struct laz_pattern *pattern, const bool now[LAZ_PATTERN_STATES_MAX],
        bool ret_then[LAZ_PATTERN_STATES_MAX], bool ret_bytes[256])
{
    for (size_t row = START; row < pattern->n_states; row++) {
        for (unsigned byte = 0; now[row] && byte < 256; byte++) {
            size_t to = pattern->next[row * pattern->n_classes + pattern->class_of[byte]];
            ret_then[to] = ret_then[to] || to != DEAD;
            ret_bytes[byte] = ret_bytes[byte] || to != DEAD;
        }
    }
}

void laz_pattern_range(const struct laz_pattern *pattern, size_t at, unsigned char *ret_low,
        unsigned char *ret_high)
{
    bool now[LAZ_PATTERN_STATES_MAX] = {[START] = true};
    unsigned low = 0;
    unsigned high = 255;
    for (size_t i = 0; i <= at; i++) {
        bool then[LAZ_PATTERN_STATES_MAX] = {false};
        bool bytes[256] = {false};
        step_all(pattern, now, then, bytes);
        (void)memcpy(now, then, sizeof(now));
        for (low = 0; low < 255 && !bytes[low]; low++) {
        }
        for (high = 255; high > low && !bytes[high]; high--) {
        }
    }
    *ret_low = (unsigned char)low;
    *ret_high = (unsigned char)high;
}
