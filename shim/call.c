/* SPDX-License-Identifier: Apache-2.0
 *
 * Policies of the host, by their names: what lazaret-prepare has made of them.
 */
#include "shim/call.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/fd.h"
#include "core/format.h"
#include "core/replace.h"
#include "core/rooted.h"
#include "shim/prepared.h"

bool laz_call_passes_all(const struct laz_runtime *runtime)
{
    bool passes = runtime->default_policy != NULL &&
            strcmp(runtime->default_policy, LAZ_RUNTIME_PASS_THROUGH) == 0 &&
            (runtime->infra_policy == NULL ||
                    strcmp(runtime->infra_policy, LAZ_RUNTIME_PASS_THROUGH) == 0);
    for (size_t i = 0; i < runtime->n_rules; i++) {
        passes = passes && strcmp(runtime->rules[i].policy, LAZ_RUNTIME_PASS_THROUGH) == 0;
    }
    return passes;
}

static bool open_prepared(const struct laz_call *call, const char *beginning, const char *name,
        const char *other, struct laz_prepared *ret)
{
    char file[LAZ_PREPARED_NAME_SIZE];
    return laz_format(file, sizeof(file), "%s%s%s", beginning, name, other) < (int)sizeof(file) &&
            laz_prepared_open(&call->ask->folders, file, ret);
}

/* Also of a name that is none: lazaret-prepare says so. */
static int ask(const struct laz_call *call, const char *beginning, const char *name,
        const char *other, struct laz_err *err)
{
    char file[LAZ_PREPARED_NAME_SIZE];
    (void)laz_format(file, sizeof(file), "%s%s%s", beginning, name, other);
    return laz_ask(call->ask, file, err);
}

int laz_call_load_policy(const struct laz_call *call, const char *name,
        struct laz_host_policy **ret, struct laz_err *err)
{
    struct laz_prepared from;
    struct laz_host_policy *policy = malloc(sizeof(*policy));
    if (policy == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, errno, "no memory");
    }
    if (open_prepared(call, LAZ_PREPARED_POLICY, name, "", &from)) {
        laz_host_policy_take(&from.body, policy);
        if (from.body.wrong == NULL && from.body.at == from.body.end) {
            policy->memory = from.memory;
            *ret = policy;
            return 0;
        }
        laz_prepared_done(&from);
    }
    free(policy);
    return ask(call, LAZ_PREPARED_POLICY, name, "", err);
}

void laz_call_free_policy(struct laz_host_policy *policy)
{
    if (policy != NULL) {
        free(policy->memory);
        free(policy);
    }
}

/* Where it is not there, lazaret-prepare makes it. */
static int open_made(const struct laz_call *call, const char *name, const char *path, int *ret,
        struct laz_err *err)
{
    struct laz_err why = {0};
    if (laz_rooted_open_known(&call->ask->folders, path, ret, &why) == 0) {
        return 0;
    }
    return why.kind == LAZ_E_HOST_ABSENT
            ? ask(call, LAZ_PREPARED_POLICY, name, "", err)
            : laz_err_set(err, why.kind, why.sys_errno, "%s", why.message);
}

int laz_call_find_image(const struct laz_call *call, const struct laz_host_policy *policy,
        const char *name, char ret[LAZ_IMAGE_PATH_SIZE], int *ret_fd, struct laz_err *err)
{
    laz_image_path(policy->source_digest, ret);
    return open_made(call, name, ret, ret_fd, err);
}

int laz_call_take_profile(const struct laz_call *call, const struct laz_host_policy *policy,
        const char *name, struct laz_buf *ret, struct laz_err *err)
{
    char path[LAZ_IMAGE_PATH_SIZE];
    struct stat status;
    laz_cleanup_fd int fd = -1;
    laz_image_profile_path(policy->source_digest, path);
    if (open_made(call, name, path, &fd, err) < 0) {
        return -1;
    }
    if (fstat(fd, &status) < 0) {
        return laz_err_set(err, LAZ_E_SYSTEM, errno, "%s: %s", path, strerror(errno));
    }
    return laz_read_rest(fd, (size_t)status.st_size, ret, err) < 0
            ? laz_err_context(err, "%s", path)
            : 0;
}

int laz_call_find_widening(const struct laz_call *call, const char *child, const char *parent,
        bool *ret_widens, struct laz_widening *ret, struct laz_err *err)
{
    char names[LAZ_PREPARED_NAME_SIZE];
    struct laz_prepared from;
    (void)laz_format(names, sizeof(names), "%s+", child);
    if (!open_prepared(call, LAZ_PREPARED_PAIR, names, parent, &from)) {
        return ask(call, LAZ_PREPARED_PAIR, names, parent, err);
    }
    *ret = (struct laz_widening){0};
    bool widens = laz_section_bool(&from.body);
    (void)laz_format(ret->key, sizeof(ret->key), "%s",
            laz_section_string(&from.body, 0, LAZ_POLICY_SCALAR_MAX));
    (void)laz_format(ret->value, sizeof(ret->value), "%s",
            laz_section_string(&from.body, 0, LAZ_POLICY_SCALAR_MAX));
    bool is_whole = from.body.wrong == NULL;
    laz_prepared_done(&from);
    if (!is_whole) {
        return ask(call, LAZ_PREPARED_PAIR, names, parent, err);
    }
    *ret_widens = widens;
    return 0;
}
