/* SPDX-License-Identifier: Apache-2.0
 *
 * A load for which memory ends, at each place where it takes some: an error that says so, and never
 * a policy that lacks what there was no room for. The linker's --wrap puts the functions below in
 * front of the arena's and of calloc.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "loading.h"
#include "policy/arena.h"

static struct {
    size_t taken;
    size_t fails_at; /* 0: never */
    bool once;       /* there is memory again afterwards */
} memory;

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__real_laz_arena_take(struct laz_arena *arena, size_t n, size_t size);
void *__wrap_laz_arena_take(struct laz_arena *arena, size_t n, size_t size);
char *__real_laz_arena_copy(struct laz_arena *arena, const char *text, size_t length);
char *__wrap_laz_arena_copy(struct laz_arena *arena, const char *text, size_t length);
void *__real_laz_arena_append(struct laz_arena *arena, void *array, size_t *n, size_t size);
void *__wrap_laz_arena_append(struct laz_arena *arena, void *array, size_t *n, size_t size);

static bool is_out(void)
{
    memory.taken++;
    return memory.fails_at != 0 &&
            (memory.once ? memory.taken == memory.fails_at : memory.taken >= memory.fails_at);
}

static void *fail(struct laz_arena *arena)
{
    arena->failed = true; /* as arena.c does */
    return NULL;
}

void *__wrap_calloc(size_t n, size_t size)
{
    if (is_out()) {
        errno = ENOMEM;
        return NULL;
    }
    return __real_calloc(n, size);
}

void *__wrap_laz_arena_take(struct laz_arena *arena, size_t n, size_t size)
{
    return is_out() ? fail(arena) : __real_laz_arena_take(arena, n, size);
}

char *__wrap_laz_arena_copy(struct laz_arena *arena, const char *text, size_t length)
{
    return is_out() ? fail(arena) : __real_laz_arena_copy(arena, text, length);
}

void *__wrap_laz_arena_append(struct laz_arena *arena, void *array, size_t *n, size_t size)
{
    return is_out() ? fail(arena) : __real_laz_arena_append(arena, array, n, size);
}

/* All that a policy can say, and one that is held against a sealed parent. */
static const char *const files[] = {
        "tests/data/good/every-key.yaml", "tests/data/good/sealed-narrowed.yaml"};

static struct laz_diagnostics diagnostics;

/* Whether the load ran out of memory, and then said so. */
static bool runs_out(const char *path, size_t at, bool once)
{
    const struct laz_policy_source source = {
            .path = path, .passwd_path = PASSWD, .group_path = GROUP};
    struct laz_policy *policy = NULL;
    struct laz_err err = {0};
    memory.taken = 0;
    memory.once = once;
    memory.fails_at = at;
    int result = laz_policy_load(&source, &diagnostics, &policy, &err);
    bool ran_out = memory.taken >= at;
    memory.fails_at = 0;
    cr_assert_eq(result, ran_out ? -1 : 0, "%s: place %zu: %d: %s", path, at, result, err.message);
    cr_assert(!ran_out || policy == NULL, "%s: place %zu", path, at);
    cr_assert(!ran_out || err.kind == LAZ_E_MEMORY, "%s: place %zu: %s: %s", path, at,
            laz_err_name(err.kind), err.message);
    laz_policy_free(policy);
    return ran_out;
}

Test(policy_memory, ends_anywhere_and_the_load_fails_for_it, .timeout = 120)
{
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        size_t at = 1;
        while (runs_out(files[i], at, false) && runs_out(files[i], at, true)) {
            at++;
        }
        cr_expect_gt(at, 300, "%s: %zu places", files[i], at);
    }
}
