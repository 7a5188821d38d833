/* SPDX-License-Identifier: Apache-2.0
 *
 * Folders of ours below /run/lazaret, which are root's alone.
 */
#ifndef LAZ_SHIM_FOLDER_H
#define LAZ_SHIM_FOLDER_H

#include "core/err.h"

#define LAZ_FOLDER_BASE "/run/lazaret"

/* Opened, and made where it is not there; -1: LAZ_E_SYSTEM, LAZ_E_HOST_UNSAFE. */
int laz_folder_open(const char *path, struct laz_err *err);

#endif
