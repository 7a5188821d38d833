/* SPDX-License-Identifier: Apache-2.0
 *
 * Groups of system calls: lookups over groups.def, and the walk that expands groups within groups.
 * It decides nothing: whether a group may be granted is in its kind, for the loader to enforce.
 */
#include <assert.h>
#include <string.h>

#include "policy/tables/tables.h"

#define LAZ_GROUP(id, name, kind, composite, help, ...)                                            \
    static const char *const members_##id[] = {__VA_ARGS__};
#include "policy/tables/groups.def"

static const struct laz_group groups[] = {
#define LAZ_GROUP(id, name, kind, composite, help, ...)                                            \
    {name, help, LAZ_GROUP_##kind, composite, sizeof(members_##id) / sizeof(members_##id[0]),      \
            members_##id},
#include "policy/tables/groups.def"
};

#define GROUP_COUNT (sizeof(groups) / sizeof(groups[0]))

const struct laz_group *laz_group_by_name(const char *name, size_t len)
{
    for (size_t i = 0; i < GROUP_COUNT; i++) {
        if (strncmp(groups[i].name, name, len) == 0 && groups[i].name[len] == '\0') {
            return &groups[i];
        }
    }
    return NULL;
}

size_t laz_group_count(void)
{
    return GROUP_COUNT;
}

const struct laz_group *laz_group_at(size_t i)
{
    assert(i < GROUP_COUNT);
    return &groups[i];
}

struct walk {
    uint64_t seen[LAZ_SYSCALL_TABLE_MAX / 64];
    laz_group_visit *visit;
    void *context;
};

static int walk_call(struct walk *walk, const char *name)
{
    const struct laz_syscall *call = laz_syscall_by_name(name, strlen(name));
    assert(call);
    size_t i = laz_syscall_index(call);
    uint64_t bit = UINT64_C(1) << i % 64;
    if (walk->seen[i / 64] & bit) {
        return 0;
    }
    walk->seen[i / 64] |= bit;
    return walk->visit(walk->context, call);
}

int laz_group_each(const struct laz_group *group, laz_group_visit *visit, void *context)
{
    struct walk walk = {.visit = visit, .context = context};
    struct {
        const struct laz_group *group;
        size_t next;
    } stack[LAZ_GROUP_DEPTH_MAX] = {{group, 0}};
    size_t depth = 1;
    while (depth > 0) {
        const struct laz_group *top = stack[depth - 1].group;
        if (stack[depth - 1].next == top->n_members) {
            depth--;
            continue;
        }
        const char *member = top->members[stack[depth - 1].next++];
        if (member[0] == '@') {
            assert(depth < LAZ_GROUP_DEPTH_MAX);
            stack[depth].group = laz_group_by_name(member + 1, strlen(member + 1));
            stack[depth].next = 0;
            assert(stack[depth].group);
            depth++;
            continue;
        }
        int answer = walk_call(&walk, member);
        if (answer != 0) {
            return answer;
        }
    }
    return 0;
}

struct wanted {
    const struct laz_syscall *call;
};

static int is_wanted(void *context, const struct laz_syscall *call)
{
    const struct wanted *wanted = context;
    return wanted->call == call;
}

bool laz_group_contains(const struct laz_group *group, const struct laz_syscall *call)
{
    struct wanted wanted = {call};
    return laz_group_each(group, is_wanted, &wanted) != 0;
}
