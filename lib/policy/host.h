/* SPDX-License-Identifier: Apache-2.0
 *
 * What a resolved policy says to the host: what lazaret-shim does with a container under it, and
 * with whoever comes into it from outside. Not part of a compiled policy: nobody inside a container
 * has a use for it. The words of each list stand from the strictest to the laxest.
 */
#ifndef LAZ_POLICY_HOST_H
#define LAZ_POLICY_HOST_H

#include "policy/strings.h"

/* Of `exec`, `ecs-exec` and `health-check.exec`. */
#define LAZ_HOST_EXECS(X)                                                                          \
    X(DENY, "deny")                                                                                \
    X(CONFINED, "confined")                                                                        \
    X(ALLOW, "allow")
/* Who may exec: the policy's own user, anybody but root, anybody. */
#define LAZ_HOST_USERS(X)                                                                          \
    X(WORKLOAD, "workload")                                                                        \
    X(NON_ROOT, "non-root")                                                                        \
    X(ANY, "any")
/* What becomes of a request for a privileged container. */
#define LAZ_HOST_PRIVILEGED(X)                                                                     \
    X(REFUSE, "refuse")                                                                            \
    X(CLAMP, "clamp")
/* And of annotations that a runtime obeys. */
#define LAZ_HOST_ANNOTATIONS(X)                                                                    \
    X(REFUSE, "refuse")                                                                            \
    X(STRIP, "strip")
/* Of `update` and `checkpoint`. */
#define LAZ_HOST_VERBS(X)                                                                          \
    X(REFUSE, "refuse")                                                                            \
    X(ALLOW, "allow")
#define LAZ_HOST_USER_NAMESPACES(X)                                                                \
    X(REQUIRED, "required")                                                                        \
    X(OPTIONAL, "optional")
/* The seccomp profile around the container: calls are taken out of the engine's, or it stays, or
 * ours takes its place, loosened. */
#define LAZ_HOST_SECCOMPS(X)                                                                       \
    X(NARROW, "narrow")                                                                            \
    X(KEEP, "keep")                                                                                \
    X(EVENTS, "events")
/* Those that may be the host's own, by the names of config.json. */
#define LAZ_HOST_NAMESPACES(X)                                                                     \
    X(PID, "pid")                                                                                  \
    X(IPC, "ipc")                                                                                  \
    X(NETWORK, "network")                                                                          \
    X(UTS, "uts")

enum laz_host_exec {
#define X(id, name) LAZ_HOST_EXEC_##id,
    LAZ_HOST_EXECS(X)
#undef X
};
enum laz_host_user {
#define X(id, name) LAZ_HOST_USER_##id,
    LAZ_HOST_USERS(X)
#undef X
};
enum laz_host_privileged {
#define X(id, name) LAZ_HOST_PRIVILEGED_##id,
    LAZ_HOST_PRIVILEGED(X)
#undef X
};
enum laz_host_annotations {
#define X(id, name) LAZ_HOST_ANNOTATIONS_##id,
    LAZ_HOST_ANNOTATIONS(X)
#undef X
};
enum laz_host_verb {
#define X(id, name) LAZ_HOST_VERB_##id,
    LAZ_HOST_VERBS(X)
#undef X
};
enum laz_host_user_namespace {
#define X(id, name) LAZ_HOST_USER_NAMESPACE_##id,
    LAZ_HOST_USER_NAMESPACES(X)
#undef X
};
enum laz_host_seccomp {
#define X(id, name) LAZ_HOST_SECCOMP_##id,
    LAZ_HOST_SECCOMPS(X)
#undef X
};
enum laz_host_namespace {
#define X(id, name) LAZ_HOST_NAMESPACE_##id,
    LAZ_HOST_NAMESPACES(X)
#undef X
    LAZ_HOST_NAMESPACE_COUNT
};

#define LAZ_HOST_COMMAND_MAX 32 /* words of the health command */
#define LAZ_HOST_LIST_MAX    64 /* entries of each list: all are looked through for each container */

struct laz_policy_host {
    uint32_t exec;           /* enum laz_host_exec */
    uint32_t exec_user;      /* enum laz_host_user */
    uint32_t ecs_exec;       /* enum laz_host_exec */
    uint32_t health_exec;    /* enum laz_host_exec; of the command below */
    uint32_t privileged;     /* enum laz_host_privileged */
    uint32_t annotations;    /* enum laz_host_annotations */
    uint32_t update;         /* enum laz_host_verb */
    uint32_t checkpoint;     /* enum laz_host_verb */
    uint32_t user_namespace; /* enum laz_host_user_namespace */
    uint32_t seccomp;        /* enum laz_host_seccomp */
    uint32_t namespaces;     /* bit n: enum laz_host_namespace n may be the host's */
    struct laz_pos namespace_pos[LAZ_HOST_NAMESPACE_COUNT]; /* of each bit that is set */
    struct laz_string_list mounts_deny;    /* what the policy adds to what is denied anyway */
    struct laz_string_list mounts_allow;   /* sources that are bound nevertheless */
    struct laz_string_list devices;        /* nodes that config.json may ask for */
    struct laz_string_list hooks;          /* programs that may be hooks beside ours */
    struct laz_string_list masked_paths;   /* beside those that are masked anyway */
    struct laz_string_list readonly_paths; /* likewise */
    struct laz_string_list health_command; /* its words; none: there is no such switch */
    struct laz_string_list exec_env_deny;  /* variables that no exec may bring, beside ours */
};

/* Of two plain paths: is one the other or below it? */
bool laz_path_is_at_or_below(const char *path, const char *top);

/* Why a mount of this source (absolute, links resolved) is refused: the path of which it is a part,
 * or which is a part of it. NULL: it may be. What the policy denies is denied; what it allows is
 * lifted from what is denied anyway. By path alone: what else a folder is mounted on is for the
 * caller to see. Borrowed. */
const char *laz_host_mount_refusal(
        const struct laz_policy_host *host, const char *source, bool is_writable);

/* Is a source named by the policy, or what it is in? */
bool laz_host_allows_mount(const struct laz_policy_host *host, const char *source);

/* The paths that laz_host_mount_refusal compares with, "/" among them: for who knows what else they
 * are. NULL behind the last. Borrowed. */
const char *laz_host_denied(const struct laz_policy_host *host, size_t i);

/* "confined"; static. */
const char *laz_host_exec_name(enum laz_host_exec exec);

/* Does whoever comes into a container from outside always wear the filter inside? */
bool laz_host_confines_execs(const struct laz_policy_host *host);

/* May an exec bring a variable of this name? Not one that makes the loader run other code. */
bool laz_host_takes_variable(const struct laz_policy_host *host, const char *name, size_t length);

#endif
