/* SPDX-License-Identifier: Apache-2.0
 *
 * The host's own file, /etc/lazaret/runtime.yaml: which program really runs containers, and which
 * policy each of them gets. The same YAML, the same field table and the same messages as a
 * policy's; the rows are in runtime.def. lazaret-shim and lazaret-hook read it at each start,
 * `lazaret runtime check` reads it as they do. What a policy says is policy/policy.h's.
 */
#ifndef LAZ_POLICY_RUNTIME_H
#define LAZ_POLICY_RUNTIME_H

#include "policy/policy.h"

/* Where they are; no option and no variable names another place. */
#define LAZ_RUNTIME_FILE     "/etc/lazaret/runtime.yaml"
#define LAZ_RUNTIME_POLICIES "/etc/lazaret/policies.d"

/* In the place of a policy's name: the runtime gets what the caller gave, and nothing is enforced.
 * Only runtime.yaml can say it. */
#define LAZ_RUNTIME_PASS_THROUGH "pass-through"

/* Ceilings: more than any host has, and little enough to look through one by one. */
#define LAZ_RUNTIME_NAMES_MAX       32
#define LAZ_RUNTIME_RULES_MAX       128
#define LAZ_RUNTIME_INITS_MAX       32
#define LAZ_RUNTIME_POLICY_PATH_MAX 128 /* the folder, a name of at most 63, ".yaml" */

/* What becomes of an exec into a container that was made without the shim. */
enum laz_unknown_container {
    LAZ_UNKNOWN_REFUSE,
    LAZ_UNKNOWN_CLAMP_DEFAULT /* as if the default policy had been selected for it */
};

/* What becomes of a lazaret-init that an image brings, where the host has a policy for it. */
enum laz_image_init {
    LAZ_IMAGE_INIT_REFUSE,
    LAZ_IMAGE_INIT_REPLACE /* by the host's own; the image's policy does not count */
};

/* A name that the shim may be called by, and what it then stands in front of. */
struct laz_runtime_name {
    const char *name;    /* the last part of argv[0] */
    const char *program; /* absolute */
    struct laz_pos pos;
};

/* The first rule of which everything holds selects. */
struct laz_runtime_rule {
    const char *name;         /* the last part of argv[0]; NULL: any */
    const char *cgroups_path; /* what linux.cgroupsPath begins with; NULL: any */
    const char *policy;       /* never NULL */
    struct laz_pos pos;       /* of `policy` */
};

/* All that it owns lives in `memory`. Invariant: laz_runtime_load returns one only if it produced
 * no error diagnostic. */
struct laz_runtime {
    struct laz_file file;
    uint8_t digest[LAZ_SHA256_SIZE]; /* of the file's bytes */

    const char *program; /* `runtime`: absolute */
    struct laz_pos program_pos;
    size_t n_names;
    struct laz_runtime_name names[LAZ_RUNTIME_NAMES_MAX];

    const char *default_policy; /* NULL: who is not selected by a rule is refused */
    const char *infra_policy;   /* of what is no task of ECS; NULL: as any other */
    struct laz_pos default_policy_pos;
    struct laz_pos infra_policy_pos;
    size_t n_rules;
    struct laz_runtime_rule rules[LAZ_RUNTIME_RULES_MAX];

    uint32_t unknown_container; /* enum laz_unknown_container */
    uint32_t image_init;        /* enum laz_image_init */
    size_t n_known_inits;
    const char *known_inits[LAZ_RUNTIME_INITS_MAX]; /* SHA-256, in lower-case digits */
    const char *log;                                /* absolute; NULL: none of the shim's own */
    const char *audit_file;                         /* absolute; has a default */
    bool audit_required;                            /* what cannot be recorded is refused */
    bool audit_arguments;                           /* of what enters a container */
    bool audit_health_checks;                       /* that were let through */

    struct laz_arena memory;
};

/* Read and check. 0 and a configuration (owned; free with laz_runtime_free) if there is no error
 * diagnostic, else -1 with err set to the first. Of the source, path, text and check_ownership
 * count; with the last each part of the path must be root's and writable by nobody else, or it is
 * LAZ_E_HOST_UNSAFE. */
LAZ_MUST_CHECK int laz_runtime_load(const struct laz_policy_source *source,
        struct laz_diagnostics *ret_diagnostics, struct laz_runtime **ret, struct laz_err *err);
void laz_runtime_free(struct laz_runtime *runtime);

/* What the shim stands in front of when it is called by this argv[0]. Borrowed. */
const char *laz_runtime_program(const struct laz_runtime *runtime, const char *argv0);

/* The name of the policy, or LAZ_RUNTIME_PASS_THROUGH, that the host selects before anybody who is
 * trusted less may tighten it: the first rule that holds, then infra_policy, then default_policy.
 * NULL: none, which is refused. cgroups_path is linux.cgroupsPath, or NULL where the container has
 * none. Borrowed. */
const char *laz_runtime_select(
        const struct laz_runtime *runtime, const char *argv0, const char *cgroups_path);

/* Is this the cgroup of a task of ECS, by either driver? */
bool laz_runtime_is_ecs_task(const char *cgroups_path);

/* The file of the policy of that name. LAZ_E_POLICY_INVALID where it is no name, or
 * LAZ_RUNTIME_PASS_THROUGH: the text may be from whoever made the image. */
LAZ_MUST_CHECK int laz_runtime_policy_path(
        const char *name, char ret[LAZ_RUNTIME_POLICY_PATH_MAX], struct laz_err *err);

/* Load it as the shim does: from LAZ_RUNTIME_POLICIES, root's from end to end, users as numbers. */
LAZ_MUST_CHECK int laz_runtime_policy_load(const char *name,
        struct laz_diagnostics *ret_diagnostics, struct laz_policy **ret_policy,
        struct laz_err *err);

/* The JSON Schema, and the reference page, from the field table. */
void laz_runtime_schema(struct laz_buf *ret);
void laz_runtime_reference(struct laz_buf *ret);

#endif
