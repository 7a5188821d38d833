/* SPDX-License-Identifier: Apache-2.0
 *
 * The host's file from any bytes: it loads or says why, never both, at a place inside the file; and
 * whatever it selects is a name that stays in the folder of policies.
 */
#include "policy/runtime.h"

#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "tests/fixture/position.h"

static void check_choice(const struct laz_runtime *runtime, const char *argv0, const char *cgroups)
{
    const char *policy = laz_runtime_select(runtime, argv0, cgroups);
    char path[LAZ_RUNTIME_POLICY_PATH_MAX];
    struct laz_err err = {0};
    if (policy == NULL) {
        require(runtime->default_policy == NULL);
    } else if (strcmp(policy, LAZ_RUNTIME_PASS_THROUGH) != 0) {
        require(laz_runtime_policy_path(policy, path, &err) == 0);
        require(strchr(path + strlen(LAZ_RUNTIME_POLICIES "/"), '/') == NULL);
    }
    require(laz_runtime_program(runtime, argv0)[0] == '/');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct laz_diagnostics *diagnostics = calloc(1, sizeof(*diagnostics));
    require(diagnostics != NULL);
    const struct laz_policy_source source = {
            .path = "runtime.yaml", .text = (const char *)data, .text_length = size};
    struct laz_runtime *runtime = NULL;
    struct laz_err err = {0};
    int result = laz_runtime_load(&source, diagnostics, &runtime, &err);
    require((result == 0) == (runtime != NULL) && (result == 0) == (err.kind == LAZ_E_NONE));
    for (size_t i = 0; i < diagnostics->n; i++) {
        require(is_inside(&diagnostics->items[i], source.text, size));
    }
    for (size_t i = 0; runtime != NULL && i < runtime->n_rules; i++) {
        const struct laz_runtime_rule *rule = &runtime->rules[i];
        check_choice(runtime, rule->name == NULL ? "" : rule->name, rule->cgroups_path);
    }
    if (runtime != NULL) {
        check_choice(runtime, "runc", "/ecs/a");
        check_choice(runtime, "/usr/bin/runc", NULL);
    }
    laz_runtime_free(runtime);
    free(diagnostics);
    return 0;
}
