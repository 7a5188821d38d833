/* SPDX-License-Identifier: Apache-2.0
 *
 * What lazaret-prepare has made of the host's file and of its policies, kept for as long as the
 * host runs. Each is held against the files that it was made of, whenever it is used: byte for
 * byte, and root's from end to end. The shim has no other way to know what a policy says.
 */
#ifndef LAZ_SHIM_PREPARED_H
#define LAZ_SHIM_PREPARED_H

#include "core/rooted.h"
#include "policy/host_policy.h"

#define LAZ_PREPARED_PROGRAM "/usr/libexec/lazaret/lazaret-prepare"
#define LAZ_PREPARED_FOLDER  "/run/lazaret/prepared"
#define LAZ_PREPARED_MAX     ((size_t)4 << 20) /* bytes: the sources, and what a policy may list */

/* What can be asked for: names of files in the folder. */
#define LAZ_PREPARED_RUNTIME   "runtime"
#define LAZ_PREPARED_POLICY    "policy-"   /* NAME */
#define LAZ_PREPARED_PAIR      "narrower-" /* CHILD, '+', PARENT */
#define LAZ_PREPARED_NAME_SIZE 288         /* also of two names that are none */

/* One that is fresh, opened; free with laz_prepared_done. */
struct laz_prepared {
    char *memory;
    struct laz_section body; /* what is behind the sources */
};

/* false: it is not there, or not of what is there now; for whatever reason, lazaret-prepare can say
 * why. */
LAZ_MUST_CHECK bool laz_prepared_open(
        struct laz_rooted *folders, const char *name, struct laz_prepared *ret);
void laz_prepared_done(struct laz_prepared *prepared);

/* A file that it is made of, as it is now. */
struct laz_prepared_source {
    const char *path;
    const char *text;
    size_t length;
};

/* The beginning of one: its body follows. */
LAZ_MUST_CHECK int laz_prepared_begin(struct laz_buf *ret,
        const struct laz_prepared_source *sources, size_t n, struct laz_err *err);

#endif
