/* SPDX-License-Identifier: Apache-2.0
 *
 * Where paths of a config.json really lead.
 */
#ifndef LAZ_SHIM_PLACE_H
#define LAZ_SHIM_PLACE_H

#include "shim/bundle.h"

/* One of the kernel's own links, such as /proc/self/fd/3, is on the way. */
LAZ_MUST_CHECK bool laz_place_is_magic(const char *path);

/* LAZ_E_REQUEST where root.path is the host's own root, or a part of it that an engine has no use
 * for, or where the image has something by the names under which init and policy are mounted that
 * is no plain folder and file: a link would lead the mounts to where the workload can move them. */
LAZ_MUST_CHECK int laz_place_judge_root(const struct laz_bundle *bundle, struct laz_err *err);

/* A regular file of the image, to be read: a path is the container's, and links of the image stay
 * inside it. -1 in *ret: there is none. Anything else by that name, a mount among its folders, or a
 * root that cannot be opened: LAZ_E_REQUEST. */
LAZ_MUST_CHECK int laz_place_open(
        const struct laz_bundle *bundle, const char *path, int *ret, struct laz_err *err);

#endif
