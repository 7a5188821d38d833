/* SPDX-License-Identifier: Apache-2.0
 *
 * What is left to do where all of runtime.yaml is pass-through. Such a host may have been told so
 * because something on it is broken: what cannot be remembered is no reason to refuse.
 */
#ifndef LAZ_SHIM_PASSING_H
#define LAZ_SHIM_PASSING_H

#include "shim/call.h"

/* create, run, restore: that the container of runc or crun has no policy, so that it stays as it is
 * when the host selects one again, and whoever takes the shim away sees it. As far as that can be
 * done. */
void laz_passing_remember(struct laz_call *call);

/* Is it an exec, update or checkpoint of a container that began under a policy? true also where the
 * record cannot be read. */
bool laz_passing_is_bound(const struct laz_arguments *arguments);

#endif
