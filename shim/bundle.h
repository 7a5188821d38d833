/* SPDX-License-Identifier: Apache-2.0
 *
 * A bundle's config.json, as it was found: read once, judged and rewritten from that one reading.
 */
#ifndef LAZ_SHIM_BUNDLE_H
#define LAZ_SHIM_BUNDLE_H

#include <sys/stat.h>

#include "oci/spec.h"

#define LAZ_BUNDLE_PATH_SIZE 4096 /* the kernel's PATH_MAX, with its NUL */

struct laz_bundle {
    int folder;
    struct stat status; /* of the file */
    struct laz_buf text;
    struct laz_oci_spec spec;
    struct laz_oci_process process;
    struct laz_oci_container container;
};

/* LAZ_E_OCI. Also what was opened of one that fails is given back by laz_bundle_done. */
LAZ_MUST_CHECK int laz_bundle_open(const char *path, struct laz_bundle *ret, struct laz_err *err);
/* The text in the file's place, with its mode and owner; nothing where it is the same. */
LAZ_MUST_CHECK int laz_bundle_write(
        struct laz_bundle *bundle, const struct laz_buf *text, struct laz_err *err);
void laz_bundle_done(struct laz_bundle *bundle);

#endif
