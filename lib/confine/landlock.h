/* SPDX-License-Identifier: Apache-2.0
 *
 * The policy's filesystem, port and isolation rules as a Landlock ruleset. Runs in the child,
 * before the user changes; allocates nothing.
 */
#ifndef LAZ_CONFINE_LANDLOCK_H
#define LAZ_CONFINE_LANDLOCK_H

#include "confine/degradation.h"
#include "policy/image.h"

/* The kernel's rights for a class of rule under an ABI; for a path that is not a directory, those
 * that make sense there. */
uint64_t laz_landlock_rights(enum laz_path_class class, int abi, bool is_directory);

/* Rights that the policy needs and the ABI lacks. */
laz_degraded laz_landlock_missing(const struct laz_image *image, int abi);

/* Build the ruleset. Returns its descriptor, or -1 with errno; *ret_path is then the path to blame
 * (borrowed from the image) or NULL. A missing path that is not optional is ENOENT; ELOOP where
 * below a path that the workload may write a part is a link. */
int laz_landlock_build(const struct laz_image *image, int abi, const char **ret_path);

/* After the ruleset is on: 0 if "/" can still be listed though no rule grants it (the ruleset is
 * not on), EACCES if it is refused as it must be, -1 if the policy grants "/" and nothing can be
 * learnt. */
int laz_landlock_probe_in_child(const struct laz_image *image);

#endif
