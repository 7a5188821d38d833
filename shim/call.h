/* SPDX-License-Identifier: Apache-2.0
 *
 * One call of the runtime on which the shim acts. Whoever acts may put other words in the place of
 * the caller's; nothing else of the call changes.
 */
#ifndef LAZ_SHIM_CALL_H
#define LAZ_SHIM_CALL_H

#include "policy/policy.h"
#include "policy/runtime.h"
#include "shim/arguments.h"
#include "shim/audit.h"

/* Where things are on the host, and where a container sees them. */
#define LAZ_HOST_PROGRAMS    "/usr/libexec/lazaret"
#define LAZ_HOST_HOOK        LAZ_HOST_PROGRAMS "/lazaret-hook"
#define LAZ_CONTAINER_FOLDER "/.lazaret"
#define LAZ_CONTAINER_INIT   LAZ_CONTAINER_FOLDER "/lazaret-init"
#define LAZ_CONTAINER_POLICY "/.lazaret-policy"

/* What stands in front of a container's command, and of an exec's. */
#define LAZ_CONTAINER_WORDS                                                                        \
    {                                                                                              \
        LAZ_CONTAINER_INIT, "--policy", LAZ_CONTAINER_POLICY, "--"                                 \
    }
#define LAZ_CONTAINER_EXEC_WORDS                                                                   \
    {                                                                                              \
        LAZ_CONTAINER_INIT, "--enter", "--policy", LAZ_CONTAINER_POLICY, "--"                      \
    }

struct laz_call {
    const struct laz_arguments *arguments;
    const struct laz_runtime *runtime;
    const char *argv0;
    int argc;
    char **argv; /* what the runtime gets; words are replaced, not freed: execve ends all */
    struct laz_note note; /* what is known of it, for the host's record */
};

/* A policy of the host; free with laz_policy_free. */
LAZ_MUST_CHECK int laz_call_load_policy(
        const char *name, struct laz_policy **ret, struct laz_err *err);

/* Does the policy `child` allow what `parent` does not? Both are policies of the host. */
struct laz_widening;
LAZ_MUST_CHECK int laz_call_find_widening(const char *child, const char *parent, bool *ret,
        struct laz_widening *ret_widening, struct laz_err *err);

/* 0: the runtime may have the call as it now is. LAZ_E_REQUEST and others: refused. */
LAZ_MUST_CHECK int laz_call_create(struct laz_call *call, struct laz_err *err);
LAZ_MUST_CHECK int laz_call_exec(struct laz_call *call, struct laz_err *err);
LAZ_MUST_CHECK int laz_call_update(struct laz_call *call, struct laz_err *err);

#endif
