/* SPDX-License-Identifier: Apache-2.0
 *
 * Written by the one program and read by the other: the lists of members in host_policy.h say what,
 * in which order. libc only.
 */
#include <string.h>

#include "policy/host_policy.h"

/* A member that is in none of the lists would be lost between the two programs. */
struct host_members {
#define X(name, max) uint32_t name;
    LAZ_HOST_NUMBERS(X)
#undef X
    struct laz_pos namespace_pos[LAZ_HOST_NAMESPACE_COUNT];
#define X(name) struct laz_string_list name;
    LAZ_HOST_LISTS(X)
#undef X
};
_Static_assert(sizeof(struct host_members) == sizeof(struct laz_policy_host),
        "host_policy.h lists all members of struct laz_policy_host");

/* ---- a policy ---- */

static void put_list(struct laz_buf *ret, const struct laz_string_list *list)
{
    laz_section_put_uint(ret, list->n, 4);
    for (size_t i = 0; i < list->n; i++) {
        laz_section_put_string(ret, list->items[i]);
    }
}

static void take_list(struct laz_section *in, char **texts, struct laz_string_list *ret)
{
    uint32_t n = laz_section_u32(in, 0, LAZ_HOST_LIST_MAX);
    for (uint32_t i = 0; i < n; i++) {
        texts[i] = laz_unconst(laz_section_string(in, 0, LAZ_POLICY_SCALAR_MAX));
    }
    *ret = (struct laz_string_list){.n = n, .items = texts};
}

static void take_digest(struct laz_section *in, uint8_t ret[LAZ_SHA256_SIZE])
{
    const uint8_t *digest = laz_section_bytes(in, LAZ_SHA256_SIZE);
    if (digest != NULL) {
        (void)memcpy(ret, digest, LAZ_SHA256_SIZE);
    }
}

void laz_host_policy_put(struct laz_buf *ret, const struct laz_host_policy *policy)
{
    laz_section_put_string(ret, policy->name);
    laz_section_put_uint(ret, policy->mode, 1);
    laz_buf_put(ret, policy->source_digest, LAZ_SHA256_SIZE);
    laz_buf_put(ret, policy->image_digest, LAZ_SHA256_SIZE);
    laz_section_put_uint(ret, policy->uid, 4);
    laz_section_put_uint(ret, policy->gid, 4);
    laz_section_put_uint(ret, policy->n_groups, 4);
    for (size_t i = 0; i < policy->n_groups; i++) {
        laz_section_put_uint(ret, policy->groups[i], 4);
    }
    laz_section_put_uint(ret, policy->keep_capabilities, 8);
    for (size_t i = 0; i < LAZ_LIMIT_COUNT; i++) {
        laz_section_put_uint(ret, policy->limits[i].set, 1);
        laz_section_put_uint(ret, policy->limits[i].value, 8);
    }
    laz_section_put_uint(ret, policy->has_host_secrets, 1);
#define X(name, max) laz_section_put_uint(ret, policy->host.name, 4);
    LAZ_HOST_NUMBERS(X)
#undef X
#define X(name) put_list(ret, &policy->host.name);
    LAZ_HOST_LISTS(X)
#undef X
}

void laz_host_policy_take(struct laz_section *in, struct laz_host_policy *ret)
{
    *ret = (struct laz_host_policy){.name = laz_section_string(in, 1, LAZ_POLICY_SCALAR_MAX)};
    ret->mode = (enum laz_mode)laz_section_uint(in, 1, 0, LAZ_MODE_COUNT - 1);
    take_digest(in, ret->source_digest);
    take_digest(in, ret->image_digest);
    ret->uid = laz_section_u32(in, 0, UINT32_MAX);
    ret->gid = laz_section_u32(in, 0, UINT32_MAX);
    ret->n_groups = laz_section_u32(in, 0, LAZ_IMAGE_GROUPS_MAX);
    for (size_t i = 0; i < ret->n_groups; i++) {
        ret->groups[i] = laz_section_u32(in, 0, UINT32_MAX);
    }
    ret->keep_capabilities = laz_section_uint(in, 8, 0, UINT64_MAX);
    for (size_t i = 0; i < LAZ_LIMIT_COUNT; i++) {
        ret->limits[i].set = laz_section_bool(in);
        ret->limits[i].value = laz_section_uint(in, 8, 0, UINT64_MAX);
    }
    ret->has_host_secrets = laz_section_bool(in);
#define X(name, max) ret->host.name = laz_section_u32(in, 0, (max));
    LAZ_HOST_NUMBERS(X)
#undef X
#define X(name) take_list(in, ret->texts[LAZ_HOST_LIST_##name], &ret->host.name);
    LAZ_HOST_LISTS(X)
#undef X
}

/* ---- the host's file ---- */

static void put_text(struct laz_buf *ret, const char *text)
{
    laz_section_put_uint(ret, text != NULL, 1);
    if (text != NULL) {
        laz_section_put_string(ret, text);
    }
}

static const char *take_text(struct laz_section *in)
{
    return laz_section_bool(in) ? laz_section_string(in, 1, LAZ_POLICY_SCALAR_MAX) : NULL;
}

void laz_runtime_put(struct laz_buf *ret, const struct laz_runtime *runtime)
{
    laz_buf_put(ret, runtime->digest, LAZ_SHA256_SIZE);
#define X(name) put_text(ret, runtime->name);
    LAZ_RUNTIME_TEXTS(X)
#undef X
#define X(name, max) laz_section_put_uint(ret, runtime->name, 4);
    LAZ_RUNTIME_NUMBERS(X)
#undef X
    laz_section_put_uint(ret, runtime->n_known_inits, 4);
    for (size_t i = 0; i < runtime->n_known_inits; i++) {
        laz_section_put_string(ret, runtime->known_inits[i]);
    }
    laz_section_put_uint(ret, runtime->n_names, 4);
    for (size_t i = 0; i < runtime->n_names; i++) {
        laz_section_put_string(ret, runtime->names[i].name);
        laz_section_put_string(ret, runtime->names[i].program);
    }
    laz_section_put_uint(ret, runtime->n_rules, 4);
    for (size_t i = 0; i < runtime->n_rules; i++) {
        put_text(ret, runtime->rules[i].name);
        put_text(ret, runtime->rules[i].cgroups_path);
        laz_section_put_string(ret, runtime->rules[i].policy);
    }
}

void laz_runtime_take(struct laz_section *in, struct laz_runtime *ret)
{
    *ret = (struct laz_runtime){.program = NULL};
    const uint8_t *digest = laz_section_bytes(in, LAZ_SHA256_SIZE);
    if (digest != NULL) {
        (void)memcpy(ret->digest, digest, LAZ_SHA256_SIZE);
    }
#define X(name) ret->name = take_text(in);
    LAZ_RUNTIME_TEXTS(X)
#undef X
#define X(name, max) ret->name = laz_section_u32(in, 0, (max));
    LAZ_RUNTIME_NUMBERS(X)
#undef X
    laz_section_require(in, ret->program != NULL, "no program");
    ret->n_known_inits = laz_section_u32(in, 0, LAZ_RUNTIME_INITS_MAX);
    for (size_t i = 0; i < ret->n_known_inits; i++) {
        ret->known_inits[i] = laz_section_string(in, 1, LAZ_POLICY_SCALAR_MAX);
    }
    ret->n_names = laz_section_u32(in, 0, LAZ_RUNTIME_NAMES_MAX);
    for (size_t i = 0; i < ret->n_names; i++) {
        ret->names[i].name = laz_section_string(in, 1, LAZ_POLICY_SCALAR_MAX);
        ret->names[i].program = laz_section_path(in);
    }
    ret->n_rules = laz_section_u32(in, 0, LAZ_RUNTIME_RULES_MAX);
    for (size_t i = 0; i < ret->n_rules; i++) {
        ret->rules[i].name = take_text(in);
        ret->rules[i].cgroups_path = take_text(in);
        ret->rules[i].policy = laz_section_string(in, 1, LAZ_POLICY_SCALAR_MAX);
    }
}
