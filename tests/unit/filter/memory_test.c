/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory that ends while a policy is compiled and proved: no block, and an error that says why. The
 * linker's --wrap puts the functions below in front of libc's.
 */
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "policy/image.h"
#include "tests/fixture/policy.h"

static struct {
    size_t taken;
    size_t fails_at; /* 0: never */
} memory;

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__real_realloc(void *block, size_t size);
void *__wrap_realloc(void *block, size_t size);

static bool is_out(void)
{
    return ++memory.taken == memory.fails_at;
}

void *__wrap_malloc(size_t size)
{
    return is_out() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return is_out() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *block, size_t size)
{
    return is_out() ? NULL : __real_realloc(block, size);
}

/* Each list of strings and paths needs a buffer. */
static char text[] = "/usr";
static char *strings[] = {text};
static struct laz_pos nowhere[1];
static struct laz_path_rule paths[] = {{.path = text, .class = LAZ_PATH_READ_EXEC}};

static bool runs_out(const struct laz_policy *policy, size_t at)
{
    laz_cleanup_buf struct laz_buf block;
    laz_buf_init_heap(&block, LAZ_IMAGE_MAX);
    struct laz_err err = {0};
    memory.taken = 0;
    memory.fails_at = at;
    int result = laz_filter_build_image(policy, LAZ_ARCH_X86_64, &block, &err);
    bool ran_out = memory.taken >= at;
    memory.fails_at = 0;
    cr_assert_eq(result, ran_out ? -1 : 0, "place %zu: %d: %s", at, result, err.message);
    /* A buffer that cannot grow does not know why. */
    cr_assert(!ran_out || err.kind == LAZ_E_MEMORY || err.kind == LAZ_E_POLICY_TOO_LARGE,
            "place %zu: %s: %s", at, laz_err_name(err.kind), err.message);
    return ran_out;
}

Test(filter_memory, ends_anywhere_and_there_is_no_block)
{
    cleanup_fixture struct fixture *fixture = fixture_new();
    struct laz_policy *policy = &fixture->policy;
    policy->n_files = 1;
    policy->files[0].name = text;
    policy->name = text;
    policy->cwd = text;
    policy->n_paths = 1;
    policy->paths = paths;
    policy->env_pass = (struct laz_string_list){1, strings, nowhere};
    policy->env_set = (struct laz_string_list){1, strings, nowhere};
    policy->relaxations = (struct laz_string_list){1, strings, nowhere};
    for (enum laz_mode mode = LAZ_MODE_ENFORCE; mode <= LAZ_MODE_OBSERVE; mode++) {
        policy->mode = mode;
        size_t at = 1;
        while (runs_out(policy, at)) {
            at++;
        }
        cr_expect_gt(at, 12, "%zu places", at);
    }
}
