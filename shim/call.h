/* SPDX-License-Identifier: Apache-2.0
 *
 * One call of the runtime on which the shim acts. Whoever acts may put other words in the place of
 * the caller's; nothing else of the call changes.
 */
#ifndef LAZ_SHIM_CALL_H
#define LAZ_SHIM_CALL_H

#include "policy/host_policy.h"
#include "policy/narrow.h"
#include "shim/arguments.h"
#include "shim/ask.h"
#include "shim/audit.h"
#include "shim/image.h"

/* Where things are on the host, and where a container sees them. */
#define LAZ_HOST_PROGRAMS    "/usr/libexec/lazaret"
#define LAZ_HOST_HOOK        LAZ_HOST_PROGRAMS "/lazaret-hook"
#define LAZ_CONTAINER_FOLDER "/.lazaret"
#define LAZ_CONTAINER_INIT   "/.lazaret/lazaret-init"
#define LAZ_CONTAINER_POLICY "/.lazaret-policy"

struct laz_call {
    const struct laz_arguments *arguments;
    struct laz_ask *ask;
    const struct laz_runtime *runtime;
    const char *argv0;
    int argc;
    char **argv;     /* what the runtime gets; words are replaced, not freed: execve ends all */
    bool has_record; /* the container's, written by this call */
    struct laz_note note; /* what is known of it, for the host's record */
};

/* Everybody gets what was asked for: nobody has a policy. */
bool laz_call_passes_all(const struct laz_runtime *runtime);

/* A policy of the host, by its name; free with laz_call_free_policy. The process may go on as
 * lazaret-prepare, and then begin anew: nothing may have been changed before, and no pipe read. */
LAZ_MUST_CHECK int laz_call_load_policy(const struct laz_call *call, const char *name,
        struct laz_host_policy **ret, struct laz_err *err);
void laz_call_free_policy(struct laz_host_policy *policy);

/* Its compiled form, by the name that the policy was loaded by: where it lies, and, open, the file.
 * Likewise. */
LAZ_MUST_CHECK int laz_call_find_image(const struct laz_call *call,
        const struct laz_host_policy *policy, const char *name, char ret[LAZ_IMAGE_PATH_SIZE],
        int *ret_fd, struct laz_err *err);

/* Its seccomp profile, appended. Likewise. */
LAZ_MUST_CHECK int laz_call_take_profile(const struct laz_call *call,
        const struct laz_host_policy *policy, const char *name, struct laz_buf *ret,
        struct laz_err *err);

/* Does the one policy of the host, by its name, allow what the other one does not? Then *ret has
 * its first key and value; no positions. Likewise. */
LAZ_MUST_CHECK int laz_call_find_widening(const struct laz_call *call, const char *child,
        const char *parent, bool *ret_widens, struct laz_widening *ret, struct laz_err *err);

/* 0: the runtime may have the call as it now is. LAZ_E_REQUEST and others: refused. */
LAZ_MUST_CHECK int laz_call_create(struct laz_call *call, struct laz_err *err);
LAZ_MUST_CHECK int laz_call_exec(struct laz_call *call, struct laz_err *err);
LAZ_MUST_CHECK int laz_call_change(
        struct laz_call *call, struct laz_err *err); /* update, checkpoint */

#endif
