/* SPDX-License-Identifier: Apache-2.0
 *
 * All five sets: a capability that is inheritable or ambient is never left to chance.
 */
#include "shim/clamp.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "core/format.h"
#include "oci/record.h"
#include "policy/tables/tables.h"

#define ARGUMENT_SIZE   4096 /* the kernel's PATH_MAX: what is longer is no program */
#define CAPABILITIES    64
#define CAPABILITY_SIZE 32
#define OWN_VARIABLES   "LAZARET_"
#define LENGTH(array)   (sizeof(array) / sizeof((array)[0]))

/* As "Put it into your image" of the README has them. */
static const char *const launching[] = {"CHOWN", "KILL", "SETGID", "SETPCAP", "SETUID"};

struct names {
    char text[CAPABILITIES][CAPABILITY_SIZE];
    const char *items[CAPABILITIES];
    size_t n;
};

static void collect(const struct laz_host_policy *policy, bool begins_as_root, struct names *ret)
{
    uint64_t mask = policy->keep_capabilities;
    for (size_t i = 0; begins_as_root && i < LENGTH(launching); i++) {
        int number = laz_capability_by_name(launching[i], strlen(launching[i]));
        mask |= number < 0 ? 0 : UINT64_C(1) << number;
    }
    ret->n = 0;
    for (int i = 0; i < CAPABILITIES; i++) {
        const char *name = (mask >> i & 1) == 0 ? NULL : laz_capability_name(i);
        if (name != NULL) {
            (void)laz_format(ret->text[ret->n], CAPABILITY_SIZE, "%s", name);
            ret->items[ret->n] = ret->text[ret->n];
            ret->n++;
        }
    }
}

static int clamp_capabilities(struct laz_oci_change *change, const struct laz_host_policy *policy,
        bool begins_as_root, struct laz_err *err)
{
    struct names names;
    collect(policy, begins_as_root, &names);
    const struct laz_oci_strings allowed = {names.items, names.n};
    return laz_oci_clamp_capabilities(change, &allowed, err);
}

/* As config.json has them; the policy's are numbered as the kernel's. */
static const char *const limits[LAZ_LIMIT_COUNT] = {
        [RLIMIT_AS] = "RLIMIT_AS",
        [RLIMIT_CORE] = "RLIMIT_CORE",
        [RLIMIT_CPU] = "RLIMIT_CPU",
        [RLIMIT_DATA] = "RLIMIT_DATA",
        [RLIMIT_FSIZE] = "RLIMIT_FSIZE",
        [RLIMIT_LOCKS] = "RLIMIT_LOCKS",
        [RLIMIT_MEMLOCK] = "RLIMIT_MEMLOCK",
        [RLIMIT_MSGQUEUE] = "RLIMIT_MSGQUEUE",
        [RLIMIT_NICE] = "RLIMIT_NICE",
        [RLIMIT_NOFILE] = "RLIMIT_NOFILE",
        [RLIMIT_NPROC] = "RLIMIT_NPROC",
        [RLIMIT_RSS] = "RLIMIT_RSS",
        [RLIMIT_RTPRIO] = "RLIMIT_RTPRIO",
        [RLIMIT_RTTIME] = "RLIMIT_RTTIME",
        [RLIMIT_SIGPENDING] = "RLIMIT_SIGPENDING",
        [RLIMIT_STACK] = "RLIMIT_STACK",
};

static int clamp_limits(
        struct laz_oci_change *change, const struct laz_host_policy *policy, struct laz_err *err)
{
    for (size_t i = 0; i < LAZ_LIMIT_COUNT; i++) {
        const char *name = limits[i];
        if (policy->limits[i].set && name != NULL &&
                laz_oci_clamp_rlimit(
                        change, name, policy->limits[i].value, policy->limits[i].value, err) < 0) {
            return -1;
        }
    }
    return 0;
}

int laz_clamp(struct laz_oci_change *change, const struct laz_host_policy *policy,
        bool begins_as_root, struct laz_err *err)
{
    if (clamp_capabilities(change, policy, begins_as_root, err) < 0 ||
            laz_oci_set_no_new_privileges(change, err) < 0 ||
            clamp_limits(change, policy, err) < 0) {
        return -1;
    }
    /* By them lazaret-init would take its orders from the image: which policy, where events go. */
    return laz_oci_drop_environment(change, OWN_VARIABLES, err);
}

bool laz_clamp_ends_with(
        const struct laz_oci_spec *spec, const struct laz_json_node *node, const char *end)
{
    char text[ARGUMENT_SIZE];
    size_t n = strlen(end);
    if (node == NULL || !laz_json_copy(&spec->doc, node, text, sizeof(text))) {
        return false;
    }
    return strlen(text) >= n && strcmp(text + strlen(text) - n, end) == 0;
}

int laz_clamp_open_records(
        const struct laz_arguments *arguments, bool create, int *ret, struct laz_err *err)
{
    char hash[LAZ_OCI_ROOT_HASH_SIZE];
    const char *root = arguments->values[LAZ_OPTION_ROOT];
    laz_oci_root_hash(root == NULL ? "" : root, hash);
    return laz_oci_record_folder(LAZ_OCI_RECORD_FOLDER, hash, create, ret, err);
}
