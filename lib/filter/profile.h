/* SPDX-License-Identifier: Apache-2.0
 *
 * Between a policy's system calls and a seccomp profile of OCI (linux.seccomp of a config.json, or
 * what Docker takes with --security-opt). Runtimes have libseccomp compile a profile, of which only
 * equality and masked equality can be trusted, and no order of overlapping rules: what goes out
 * says only for which arguments a call is allowed, and nothing else but that. What cannot be said
 * exactly becomes stricter, or is named as a loss.
 */
#ifndef LAZ_FILTER_PROFILE_H
#define LAZ_FILTER_PROFILE_H

#include "policy/policy.h"

/* Ceilings. */
#define LAZ_PROFILE_SIZE_MAX  1048576 /* bytes of a profile; Docker's own has 15 thousand */
#define LAZ_PROFILE_CUBES_MAX 1024    /* rules of one call; more are no profile that loads */

/* One line for each thing that is lost: a name, ": ", a sentence, a line feed. */
struct laz_profile_losses {
    size_t n;
    struct laz_buf *text; /* borrowed */
};

/* A call that is allowed whatever a policy says of it. */
struct laz_profile_call {
    const char *name;
    const char *arg; /* if (arg & mask) == value; NULL: in any case */
    uint32_t mask;
    uint32_t value;
};

/* A profile around the filter that lazaret-init loads: it is also that of our own programs. */
struct laz_profile_outer {
    const struct laz_profile_call *calls;
    size_t n;
    bool is_loose; /* a call that the policy allows, or refuses with an event, for some arguments is
                    * let through to the filter inside for all, by the processor's other ABIs too:
                    * for nobody without that filter */
};

/* The policy's system calls as JSON, one object and a line feed. What is exported allows no call
 * that the policy refuses, but what a loss named "exec-budget" says, and what `outer` (NULL: no
 * such thing) says besides. LAZ_E_MEMORY. */
LAZ_MUST_CHECK int laz_profile_export(const struct laz_policy *policy, enum laz_arch arch,
        const struct laz_profile_outer *outer, struct laz_buf *ret_json,
        struct laz_profile_losses *losses, struct laz_err *err);

/* Which of a profile's conditional parts count. */
struct laz_profile_reader {
    enum laz_arch arch;
    uint64_t capabilities; /* bit n = capability n */
};

/* A profile as a policy file with nothing but `syscalls`, to be extended. What is imported allows
 * no call that the profile refuses. LAZ_E_OCI where it is no such profile, or one that allows by
 * default. */
LAZ_MUST_CHECK int laz_profile_import(const char *text, size_t length,
        const struct laz_profile_reader *reader, struct laz_buf *ret_yaml,
        struct laz_profile_losses *losses, struct laz_err *err);

#endif
