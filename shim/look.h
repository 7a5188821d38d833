/* SPDX-License-Identifier: Apache-2.0
 *
 * Is what the host has mounted in a container still there? The kernel lets a mount point be removed
 * from another mount namespace, and the mount goes with it: engines that copy files into a running
 * container do so, and what they copy then lies at its place.
 */
#ifndef LAZ_SHIM_LOOK_H
#define LAZ_SHIM_LOOK_H

#include "oci/record.h"

/* Before lazaret-init is started in it: that, and its policy, are the host's own files. A record
 * to which no hook has added the container's first process says nothing, and nothing is looked at.
 * LAZ_E_CONTAINER_CHANGED, LAZ_E_HOST_UNSEEN. */
LAZ_MUST_CHECK int laz_look(const struct laz_oci_record *record, struct laz_err *err);

#endif
