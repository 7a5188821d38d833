/* SPDX-License-Identifier: Apache-2.0
 *
 * "Did you mean": the nearest known word to a misspelt one. It only ever serves the text of a
 * diagnostic; nothing may be accepted because it is close.
 */
#include <string.h>

#include "policy/tables/names.h"
#include "policy/tables/tables.h"

#define DISTANCE_MAX 3

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* ASCII only: the locale must not decide what is offered. */
static char fold(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return (char)(c - 'A' + 'a');
    }
    return c;
}

/* Damerau-Levenshtein distance in its restricted form (no letter is moved twice): three rows of the
 * matrix are enough. Both words are at most LAZ_NAME_LENGTH_MAX long. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t rows[3][LAZ_NAME_LENGTH_MAX + 1];
    for (size_t j = 0; j <= b_len; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i - 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            char x = fold(a[i - 1]);
            char y = fold(b[j - 1]);
            size_t cost = smaller(smaller(above[j], row[j - 1]) + 1, above[j - 1] + (x != y));
            if (i > 1 && j > 1 && x == fold(b[j - 2]) && y == fold(a[i - 2])) {
                cost = smaller(cost, rows[(i - 2) % 3][j - 2] + 1);
            }
            row[j] = cost;
        }
    }
    return rows[a_len % 3][b_len];
}

const char *laz_suggest(const char *word, size_t len, laz_name_at *at, const void *context)
{
    if (len > LAZ_NAME_LENGTH_MAX) {
        return NULL;
    }
    const char *best = NULL;
    size_t limit = smaller(DISTANCE_MAX, len / 2);
    const char *candidate;
    for (size_t i = 0; (candidate = at(context, i)) != NULL; i++) {
        size_t candidate_len = strnlen(candidate, LAZ_NAME_LENGTH_MAX + 1);
        if (candidate_len == 0 || candidate_len > LAZ_NAME_LENGTH_MAX ||
                candidate_len > len + limit || len > candidate_len + limit) {
            continue;
        }
        size_t d = distance(word, len, candidate, candidate_len);
        if (d > limit || (best && d == limit)) {
            continue;
        }
        best = candidate;
        limit = d;
    }
    return best;
}

/* What others call it. */
struct alias {
    const char *word;
    const char *name;
};

static const struct alias family_aliases[] = {
        {"ip", "inet"},
        {"ipv4", "inet"},
        {"tcp", "inet"},
        {"udp", "inet"},
        {"ipv6", "inet6"},
        {"local", "unix"},
        {NULL, NULL},
};

/* As setrlimit(2) and container engines do: "nofile". */
static const struct alias limit_aliases[] = {
#define LAZ_RLIMIT(name, constant, value) {(constant) + sizeof("RLIMIT_") - 1, (name)},
#include "policy/tables/names.def"
        {NULL, NULL},
};

static const char *find_alias(const struct alias *aliases, const char *word, size_t len)
{
    for (; aliases->word != NULL; aliases++) {
        size_t i = 0;
        while (i < len && fold(word[i]) == fold(aliases->word[i])) {
            i++;
        }
        if (i == len && aliases->word[i] == '\0') {
            return aliases->name;
        }
    }
    return NULL;
}

static const char *syscall_at(const void *context, size_t i)
{
    (void)context;
    return i < laz_syscall_count() ? laz_syscall_at(i)->name : NULL;
}

static const char *group_at(const void *context, size_t i)
{
    (void)context;
    if (i >= laz_group_count()) {
        return NULL;
    }
    return laz_group_at(i)->kind == LAZ_GROUP_GRANT ? laz_group_at(i)->name : "";
}

static const char *socket_family_at(const void *context, size_t i)
{
    (void)context;
    return i < laz_socket_family_count() ? laz_socket_family_at(i)->name : NULL;
}

struct brief {
    const struct laz_name_table *table;
    size_t skip;
};

static const char *brief_at(const void *context, size_t i)
{
    const struct brief *brief = context;
    return i < brief->table->count ? brief->table->names[i].name + brief->skip : NULL;
}

const char *laz_suggest_name(enum laz_names table, const char *word, size_t len)
{
    const char *alias = table == LAZ_NAMES_RLIMIT ? find_alias(limit_aliases, word, len)
            : table == LAZ_NAMES_SOCKET_FAMILY    ? find_alias(family_aliases, word, len)
                                                  : NULL;
    if (alias != NULL) {
        return alias;
    }
    switch (table) {
    case LAZ_NAMES_SYSCALL:
        return laz_suggest(word, len, syscall_at, NULL);
    case LAZ_NAMES_GROUP:
        return laz_suggest(word, len, group_at, NULL);
    case LAZ_NAMES_SOCKET_FAMILY:
        return laz_suggest(word, len, socket_family_at, NULL);
    case LAZ_NAMES_CAPABILITY:
    case LAZ_NAMES_ERRNO:
    case LAZ_NAMES_SIGNAL:
    case LAZ_NAMES_RLIMIT:
        break;
    }
    struct brief brief = {.table = laz_name_table(table)};
    size_t prefix = brief.table->prefix;
    bool has_prefix = len >= prefix;
    for (size_t i = 0; has_prefix && i < prefix; i++) {
        has_prefix = fold(word[i]) == fold(brief.table->names[0].name[i]);
    }
    brief.skip = has_prefix ? 0 : prefix;
    return laz_suggest(word, len, brief_at, &brief);
}
