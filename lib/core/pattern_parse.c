/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads a pattern. What it does not know it refuses, with the position: a pattern that means
 * something else than its author thinks redacts nothing. Groups are on a stack of its own.
 */
#include "core/pattern_parse.h"

#include <string.h>

#define GROUPS_MAX 32
#define REPEAT_MAX 255
#define UNBOUNDED  SIZE_MAX

/* What a group was in the middle of when the next one began. */
struct group {
    size_t first; /* its first step */
    size_t opened_at;
    size_t alternatives; /* finished ones */
    size_t operands;     /* of the alternative that is being read: 0, 1 or 2 */
};

struct parser {
    const char *text;
    size_t length;
    size_t at;
    enum laz_pattern_use use;
    struct laz_pattern_program *program;
    struct group groups[GROUPS_MAX + 1]; /* the outermost is the pattern */
    size_t depth;
    size_t operand;  /* first step of the last operand */
    bool repeatable; /* there is one that a repetition may follow */
    struct laz_err *err;
};

static int wrong(struct parser *parser, size_t at, const char *what)
{
    return laz_err_set(
            parser->err, LAZ_E_POLICY_INVALID, 0, "position %zu of the pattern: %s", at + 1, what);
}

static int push(struct parser *parser, enum laz_pattern_op op, uint8_t set)
{
    struct laz_pattern_program *program = parser->program;
    program->n_places += op <= LAZ_PATTERN_END ? 1 : 0;
    if (program->n_steps == LAZ_PATTERN_STEPS_MAX || program->n_places == LAZ_PATTERN_PLACES) {
        return laz_err_set(parser->err, LAZ_E_POLICY_TOO_LARGE, 0,
                "position %zu of the pattern: too large, with its repetitions written out",
                parser->at + 1);
    }
    program->steps[program->n_steps++] = (struct laz_pattern_step){.op = (uint8_t)op, .set = set};
    return 0;
}

/* Before an operand: join the two that wait. */
static int begin_operand(struct parser *parser)
{
    struct group *group = &parser->groups[parser->depth];
    if (group->operands == 2) {
        group->operands = 1;
        if (push(parser, LAZ_PATTERN_CAT, 0) < 0) {
            return -1;
        }
    }
    group->operands++;
    parser->operand = parser->program->n_steps;
    return 0;
}

static int end_alternative(struct parser *parser)
{
    struct group *group = &parser->groups[parser->depth];
    size_t operands = group->operands;
    group->operands = 0;
    parser->repeatable = false;
    if (operands == 0) {
        return push(parser, LAZ_PATTERN_EMPTY, 0);
    }
    return operands == 2 ? push(parser, LAZ_PATTERN_CAT, 0) : 0;
}

static int end_alternatives(struct parser *parser)
{
    if (end_alternative(parser) < 0) {
        return -1;
    }
    for (size_t i = 0; i < parser->groups[parser->depth].alternatives; i++) {
        if (push(parser, LAZ_PATTERN_ALT, 0) < 0) {
            return -1;
        }
    }
    return 0;
}

/* ---- Sets of bytes ---- */

static void add_range(struct laz_pattern_set *set, unsigned low, unsigned high)
{
    for (unsigned byte = low; byte <= high; byte++) {
        set->bits[byte / 64] |= UINT64_C(1) << (byte % 64);
    }
}

static void add_inverse(struct laz_pattern_set *set, const struct laz_pattern_set *other)
{
    for (size_t i = 0; i < 4; i++) {
        set->bits[i] |= ~other->bits[i];
    }
}

/* \d \s \w and their opposites. */
static bool add_named(struct laz_pattern_set *set, char name)
{
    struct laz_pattern_set found = {0};
    switch (name) {
    case 'd':
    case 'D':
        add_range(&found, '0', '9');
        break;
    case 's':
    case 'S':
        add_range(&found, '\t', '\r');
        add_range(&found, ' ', ' ');
        break;
    case 'w':
    case 'W':
        add_range(&found, '0', '9');
        add_range(&found, 'A', 'Z');
        add_range(&found, '_', '_');
        add_range(&found, 'a', 'z');
        break;
    default:
        return false;
    }
    if (name >= 'a') {
        for (size_t i = 0; i < 4; i++) {
            set->bits[i] |= found.bits[i];
        }
    } else {
        add_inverse(set, &found);
    }
    return true;
}

/* Behind a backslash: which byte is meant, or -1. */
static int escaped_byte(char c)
{
    switch (c) {
    case 't':
        return '\t';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    default:
        return (unsigned char)c > ' ' && (unsigned char)c < 0x7F && !laz_is_word(c) ? c : -1;
    }
}

/* One end of a range, or a set by name: then *ret_byte is -1. */
static int read_member(struct parser *parser, struct laz_pattern_set *set, int *ret_byte)
{
    size_t at = parser->at;
    char c = parser->text[parser->at++];
    if ((unsigned char)c < ' ' || (unsigned char)c >= 0x7F) {
        return wrong(parser, at, "a set holds printable ASCII and escapes only");
    }
    if (c == '[' && parser->at < parser->length &&
            strchr(":.=", parser->text[parser->at]) != NULL) {
        return wrong(parser, at, "named sets are \\d, \\s and \\w here");
    }
    *ret_byte = (unsigned char)c;
    if (c != '\\') {
        return 0;
    }
    if (parser->at == parser->length) {
        return wrong(parser, at, "nothing behind the backslash");
    }
    c = parser->text[parser->at++];
    *ret_byte = -1;
    if (add_named(set, c)) {
        return 0;
    }
    *ret_byte = escaped_byte(c);
    return *ret_byte < 0 ? wrong(parser, at, "an escape that is not known") : 0;
}

static bool is_range(const struct parser *parser)
{
    return parser->at + 1 < parser->length && parser->text[parser->at] == '-' &&
            parser->text[parser->at + 1] != ']';
}

/* Behind the bracket. */
static int read_set(struct parser *parser, struct laz_pattern_set *ret)
{
    size_t opened_at = parser->at - 1;
    struct laz_pattern_set found = {0};
    bool inverse = parser->at < parser->length && parser->text[parser->at] == '^';
    parser->at += inverse ? 1 : 0;
    size_t first = parser->at;
    while (parser->at < parser->length && parser->text[parser->at] != ']') {
        size_t at = parser->at;
        int low = -1;
        int high = -1;
        if (read_member(parser, &found, &low) < 0) {
            return -1;
        }
        high = low;
        if (is_range(parser)) {
            parser->at++;
            if (read_member(parser, &found, &high) < 0) {
                return -1;
            }
            if (low < 0 || high < low) {
                return wrong(parser, at, "a range that has no beginning or runs backwards");
            }
        }
        if (low >= 0) {
            add_range(&found, (unsigned)low, (unsigned)high);
        }
    }
    if (parser->at == parser->length) {
        return wrong(parser, opened_at, "a set without its ]");
    }
    if (parser->at == first) {
        return wrong(parser, opened_at, "an empty set; ] itself is \\]");
    }
    parser->at++;
    if (inverse) {
        add_inverse(ret, &found);
    } else {
        *ret = found;
    }
    return 0;
}

static int push_set(struct parser *parser, struct laz_pattern_set *set)
{
    static const struct laz_pattern_set empty = {0};
    struct laz_pattern_program *program = parser->program;
    if (parser->use == LAZ_PATTERN_NUMBER) {
        set->bits[0] &= ~(UINT64_C(1) << '\n');
        if (memcmp(set, &empty, sizeof(empty)) == 0) {
            return wrong(parser, parser->at - 1, "there is no line feed in a line");
        }
    }
    size_t i = 0;
    while (i < program->n_sets && memcmp(&program->sets[i], set, sizeof(*set)) != 0) {
        i++;
    }
    if (i == program->n_sets) {
        program->sets[program->n_sets++] = *set; /* each takes at least one byte of the text */
    }
    return push(parser, LAZ_PATTERN_SET, (uint8_t)i);
}

/* ---- Operands ---- */

/* A byte stands for itself; one beyond ASCII is a character with those that follow it. */
static int read_literal(struct parser *parser)
{
    size_t first = parser->at - 1;
    for (;;) {
        struct laz_pattern_set set = {0};
        unsigned char byte = (unsigned char)parser->text[parser->at - 1];
        add_range(&set, byte, byte);
        if (push_set(parser, &set) < 0 ||
                (parser->at - 1 > first && push(parser, LAZ_PATTERN_CAT, 0) < 0)) {
            return -1;
        }
        if (byte < 0x80 || parser->at == parser->length ||
                ((unsigned char)parser->text[parser->at] & 0xC0) != 0x80) {
            return 0;
        }
        parser->at++;
    }
}

static int read_escape(struct parser *parser)
{
    struct laz_pattern_set set = {0};
    size_t at = parser->at - 1;
    if (parser->at == parser->length) {
        return wrong(parser, at, "nothing behind the backslash");
    }
    char c = parser->text[parser->at++];
    if (!add_named(&set, c)) {
        int byte = escaped_byte(c);
        if (byte < 0) {
            return wrong(parser, at, "an escape that is not known");
        }
        add_range(&set, (unsigned)byte, (unsigned)byte);
    }
    return push_set(parser, &set);
}

static int read_anchor(struct parser *parser, char c)
{
    if (parser->use == LAZ_PATTERN_NUMBER) {
        return wrong(
                parser, parser->at - 1, "it is looked for anywhere in a line: without ^ and $");
    }
    int result = push(parser, c == '^' ? LAZ_PATTERN_BEGIN : LAZ_PATTERN_END, 0);
    parser->repeatable = false;
    return result;
}

static int read_operand(struct parser *parser, char c)
{
    if (begin_operand(parser) < 0) {
        return -1;
    }
    parser->repeatable = true;
    struct laz_pattern_set set = {0};
    switch (c) {
    case '[':
        return read_set(parser, &set) < 0 ? -1 : push_set(parser, &set);
    case '.':
        add_range(&set, 0, 0xFF);
        set.bits[0] &= ~(UINT64_C(1) << '\n');
        return push_set(parser, &set);
    case '\\':
        return read_escape(parser);
    case '^':
    case '$':
        return read_anchor(parser, c);
    default:
        return read_literal(parser);
    }
}

/* ---- Groups and repetitions ---- */

static int open_group(struct parser *parser)
{
    size_t at = parser->at - 1;
    if (parser->depth == GROUPS_MAX) {
        return wrong(parser, at, "groups are nested too deeply");
    }
    if (parser->length - parser->at >= 2 && memcmp(parser->text + parser->at, "?:", 2) == 0) {
        parser->at += 2;
    } else if (parser->at < parser->length && parser->text[parser->at] == '?') {
        return wrong(parser, at, "of the groups with a ? only (?: is known");
    }
    if (begin_operand(parser) < 0) {
        return -1;
    }
    parser->groups[++parser->depth] =
            (struct group){.first = parser->program->n_steps, .opened_at = at};
    parser->repeatable = false;
    return 0;
}

static int close_group(struct parser *parser)
{
    if (parser->depth == 0) {
        return wrong(parser, parser->at - 1, "a ) without its (");
    }
    if (end_alternatives(parser) < 0) {
        return -1;
    }
    parser->operand = parser->groups[parser->depth--].first;
    parser->repeatable = true;
    return 0;
}

static bool read_count(struct parser *parser, size_t *ret)
{
    size_t first = parser->at;
    size_t value = 0;
    while (parser->at < parser->length && parser->text[parser->at] >= '0' &&
            parser->text[parser->at] <= '9' && value <= REPEAT_MAX) {
        value = value * 10 + (size_t)(parser->text[parser->at++] - '0');
    }
    *ret = value;
    return parser->at > first && value <= REPEAT_MAX;
}

/* Behind the brace: {m}, {m,} and {m,n}. */
static int read_counts(struct parser *parser, size_t *ret_least, size_t *ret_most)
{
    size_t at = parser->at - 1;
    bool good = read_count(parser, ret_least);
    *ret_most = *ret_least;
    if (good && parser->at < parser->length && parser->text[parser->at] == ',') {
        parser->at++;
        *ret_most = UNBOUNDED;
        if (parser->at < parser->length && parser->text[parser->at] != '}') {
            good = read_count(parser, ret_most);
        }
    }
    good = good && parser->at < parser->length && parser->text[parser->at++] == '}' &&
            *ret_most >= *ret_least && *ret_most > 0;
    return good
            ? 0
            : wrong(parser, at, "not {m}, {m,} or {m,n} with numbers up to 255; { itself is \\{");
}

/* The last operand once more, behind itself. */
static int copy_operand(struct parser *parser, size_t n_steps)
{
    for (size_t i = 0; i < n_steps; i++) {
        struct laz_pattern_step step = parser->program->steps[parser->operand + i];
        if (push(parser, (enum laz_pattern_op)step.op, step.set) < 0) {
            return -1;
        }
    }
    return 0;
}

/* x{2,4} is x x (x (x)?)?, in the order of the stack: x x x x ? CAT ? CAT CAT. */
static int repeat(struct parser *parser, size_t least, size_t most)
{
    size_t n_steps = parser->program->n_steps - parser->operand;
    size_t copies = most != UNBOUNDED ? most : least > 0 ? least : 1;
    size_t options = most != UNBOUNDED ? most - least : 0;
    int result = 0;
    for (size_t i = 1; i < copies && result == 0; i++) {
        result = copy_operand(parser, n_steps);
    }
    if (most == UNBOUNDED && result == 0) {
        result = push(parser, least > 0 ? LAZ_PATTERN_PLUS : LAZ_PATTERN_STAR, 0);
    }
    for (size_t i = 0; i < options && result == 0; i++) {
        result = push(parser, LAZ_PATTERN_OPTION, 0);
        if (i + 1 < options && result == 0) {
            result = push(parser, LAZ_PATTERN_CAT, 0);
        }
    }
    size_t joined = options > 0 ? options - 1 : 0;
    for (size_t i = 1 + joined; i < copies && result == 0; i++) {
        result = push(parser, LAZ_PATTERN_CAT, 0);
    }
    return result;
}

static int read_repetition(struct parser *parser, char c)
{
    if (!parser->repeatable) {
        return wrong(parser, parser->at - 1, "nothing in front of it that could be repeated");
    }
    size_t least = c == '+' ? 1 : 0;
    size_t most = c == '?' ? 1 : UNBOUNDED;
    if (c == '{' && read_counts(parser, &least, &most) < 0) {
        return -1;
    }
    parser->repeatable = false;
    return repeat(parser, least, most);
}

static int read_next(struct parser *parser)
{
    char c = parser->text[parser->at++];
    switch (c) {
    case '(':
        return open_group(parser);
    case ')':
        return close_group(parser);
    case '|':
        parser->groups[parser->depth].alternatives++;
        return end_alternative(parser);
    case '*':
    case '+':
    case '?':
    case '{':
        return read_repetition(parser, c);
    default:
        return read_operand(parser, c);
    }
}

int laz_pattern_parse(const char *text, enum laz_pattern_use use,
        struct laz_pattern_program *program, struct laz_err *err)
{
    struct parser parser = {
            .text = text, .length = strlen(text), .use = use, .program = program, .err = err};
    if (parser.length == 0) {
        return laz_err_set(err, LAZ_E_POLICY_INVALID, 0, "the pattern is empty");
    }
    if (parser.length > LAZ_PATTERN_TEXT_MAX) {
        return laz_err_set(err, LAZ_E_POLICY_TOO_LARGE, 0, "the pattern has more than %d bytes",
                LAZ_PATTERN_TEXT_MAX);
    }
    while (parser.at < parser.length) {
        if (read_next(&parser) < 0) {
            return -1;
        }
    }
    if (parser.depth > 0) {
        return wrong(&parser, parser.groups[parser.depth].opened_at, "a ( without its )");
    }
    return end_alternatives(&parser);
}
