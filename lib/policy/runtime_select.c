/* SPDX-License-Identifier: Apache-2.0
 *
 * What the host's file decides, once it has been read by whomever.
 */
#include <string.h>

#include "policy/runtime.h"

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

static bool begins_with(const char *text, const char *beginning)
{
    return strncmp(text, beginning, strlen(beginning)) == 0;
}

const char *laz_runtime_program(const struct laz_runtime *runtime, const char *argv0)
{
    for (size_t i = 0; i < runtime->n_names; i++) {
        if (strcmp(runtime->names[i].name, last_part(argv0)) == 0) {
            return runtime->names[i].program;
        }
    }
    return runtime->program;
}

bool laz_runtime_is_ecs_task(const char *cgroups_path)
{
    return cgroups_path != NULL &&
            (begins_with(cgroups_path, "/ecs/") || begins_with(cgroups_path, "ecstasks-"));
}

const char *laz_runtime_select(
        const struct laz_runtime *runtime, const char *argv0, const char *cgroups_path)
{
    for (size_t i = 0; i < runtime->n_rules; i++) {
        const struct laz_runtime_rule *rule = &runtime->rules[i];
        bool is_named = rule->name == NULL || strcmp(rule->name, last_part(argv0)) == 0;
        bool is_there = rule->cgroups_path == NULL ||
                (cgroups_path != NULL && begins_with(cgroups_path, rule->cgroups_path));
        if (is_named && is_there) {
            return rule->policy;
        }
    }
    bool is_infra = runtime->infra_policy != NULL && !laz_runtime_is_ecs_task(cgroups_path);
    return is_infra ? runtime->infra_policy : runtime->default_policy;
}
