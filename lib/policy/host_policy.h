/* SPDX-License-Identifier: Apache-2.0
 *
 * Of a policy, what lazaret-shim needs to judge a container and to rewrite it, and nothing else:
 * lazaret-prepare takes it out of a loaded policy and writes it down, the shim, which has neither
 * YAML nor a compiler, reads it. Likewise the host's own file. In the same order, little-endian;
 * the reader trusts nothing.
 */
#ifndef LAZ_POLICY_HOST_POLICY_H
#define LAZ_POLICY_HOST_POLICY_H

#include "policy/image.h"
#include "policy/policy.h"
#include "policy/runtime.h"
#include "policy/section.h"

/* The members of struct laz_policy_host that say something; of numbers the largest. */
#define LAZ_HOST_NUMBERS(X)                                                                        \
    X(exec, LAZ_HOST_EXEC_ALLOW)                                                                   \
    X(exec_user, LAZ_HOST_USER_ANY)                                                                \
    X(ecs_exec, LAZ_HOST_EXEC_ALLOW)                                                               \
    X(health_exec, LAZ_HOST_EXEC_ALLOW)                                                            \
    X(privileged, LAZ_HOST_PRIVILEGED_CLAMP)                                                       \
    X(annotations, LAZ_HOST_ANNOTATIONS_STRIP)                                                     \
    X(update, LAZ_HOST_VERB_ALLOW)                                                                 \
    X(checkpoint, LAZ_HOST_VERB_ALLOW)                                                             \
    X(seccomp, LAZ_HOST_SECCOMP_EVENTS)                                                            \
    X(user_namespace, LAZ_HOST_USER_NAMESPACE_OPTIONAL)                                            \
    X(namespaces, (1U << LAZ_HOST_NAMESPACE_COUNT) - 1)
#define LAZ_HOST_LISTS(X)                                                                          \
    X(mounts_deny)                                                                                 \
    X(mounts_allow)                                                                                \
    X(devices)                                                                                     \
    X(hooks)                                                                                       \
    X(masked_paths)                                                                                \
    X(readonly_paths)                                                                              \
    X(health_command)                                                                              \
    X(exec_env_deny)

/* Likewise of struct laz_runtime: texts that may be NULL, and numbers. */
#define LAZ_RUNTIME_TEXTS(X)                                                                       \
    X(program)                                                                                     \
    X(default_policy)                                                                              \
    X(infra_policy)                                                                                \
    X(log)                                                                                         \
    X(audit_file)
#define LAZ_RUNTIME_NUMBERS(X)                                                                     \
    X(unknown_container, LAZ_UNKNOWN_CLAMP_DEFAULT)                                                \
    X(image_init, LAZ_IMAGE_INIT_REPLACE)                                                          \
    X(audit_required, 1)                                                                           \
    X(audit_arguments, 1)                                                                          \
    X(audit_health_checks, 1)

/* All members by their names: who reads and who wrote must have the same ones. */
#define LAZ_HOST_MEMBER(name)      #name " "
#define LAZ_HOST_NUMBER(name, max) #name " "
#define LAZ_HOST_LAYOUT                                                                            \
    LAZARET_VERSION " " LAZ_HOST_NUMBERS(LAZ_HOST_NUMBER) LAZ_HOST_LISTS(LAZ_HOST_MEMBER)          \
            LAZ_RUNTIME_TEXTS(LAZ_HOST_MEMBER) LAZ_RUNTIME_NUMBERS(LAZ_HOST_NUMBER)

enum {
#define X(name) LAZ_HOST_LIST_##name,
    LAZ_HOST_LISTS(X)
#undef X
    LAZ_HOST_LIST_COUNT
};

/* As the members of struct laz_policy of these names. Positions are left out. Texts are borrowed
 * from the policy, or from what was read. */
struct laz_host_policy {
    const char *name;
    enum laz_mode mode;
    uint8_t source_digest[LAZ_SHA256_SIZE];
    uint8_t image_digest[LAZ_SHA256_SIZE]; /* of its compiled form, by whoever made that */
    uint32_t uid;
    uint32_t gid;
    size_t n_groups;
    uint32_t groups[LAZ_IMAGE_GROUPS_MAX];
    uint64_t keep_capabilities;
    struct laz_limit_value limits[LAZ_LIMIT_COUNT];
    struct laz_policy_host host;
    char *memory;          /* what was read; owned, or NULL */
    bool has_host_secrets; /* files below LAZ_HOST_SECRETS, which lazaret-hook brings */
    char *texts[LAZ_HOST_LIST_COUNT][LAZ_HOST_LIST_MAX]; /* of the lists, where it was read */
};

#define LAZ_HOST_SECRETS "/run/lazaret/host-secrets" /* in the container */

/* Borrowed from the policy; image_digest is left out. */
void laz_host_policy_of(const struct laz_policy *policy, struct laz_host_policy *ret);

void laz_host_policy_put(struct laz_buf *ret, const struct laz_host_policy *policy);
/* What is wrong is in `in`. *ret must stay where it is: its lists point into it. */
void laz_host_policy_take(struct laz_section *in, struct laz_host_policy *ret);

void laz_runtime_put(struct laz_buf *ret, const struct laz_runtime *runtime);
/* Positions and memory are left out. */
void laz_runtime_take(struct laz_section *in, struct laz_runtime *ret);

#endif
