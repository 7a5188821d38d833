/* SPDX-License-Identifier: Apache-2.0
 *
 * The bundle that the state document names: its config.json and its root file system. Opened once
 * and judged as held; what is below the root is the image's, and is reached through its descriptor
 * alone, never through a link.
 */
#ifndef LAZ_HOOKS_BUNDLE_H
#define LAZ_HOOKS_BUNDLE_H

#include <sys/stat.h>

#include "oci/spec.h"

#define LAZ_HOOK_PATH_SIZE 4096 /* the kernel's own ceiling, with the NUL */

struct laz_hook_bundle {
    int folder; /* O_PATH, root's from end to end */
    int root;   /* O_PATH: the root file system; nothing above it is trusted less than the bundle */
    struct stat root_status;
    char root_path[LAZ_HOOK_PATH_SIZE]; /* as config.json has it */
    struct laz_oci_spec config;
    struct laz_oci_process process;
    char *text; /* owned */
    size_t length;
};

/* Without ever waiting: a FIFO is refused, not read. LAZ_E_BUNDLE, LAZ_E_HOST_UNSAFE; LAZ_E_OCI for
 * a config.json that is none. */
LAZ_MUST_CHECK int laz_hook_bundle_open(
        const char *path, struct laz_hook_bundle *ret, struct laz_err *err);
void laz_hook_bundle_done(struct laz_hook_bundle *bundle);

/* A folder of the container by its absolute, plain path; O_PATH. LAZ_E_BUNDLE where a part is a
 * link, of whatever kind, or absent. */
LAZ_MUST_CHECK int laz_hook_bundle_enter(
        const struct laz_hook_bundle *bundle, const char *path, int *ret, struct laz_err *err);

/* Does config.json have the runtime mount a fresh tmpfs there, and, however that is spelt, nothing
 * else there, and behind it nothing below? `destination` is clean. */
bool laz_hook_bundle_declares(const struct laz_hook_bundle *bundle, const char *destination);

#endif
