/* SPDX-License-Identifier: Apache-2.0
 *
 * What a folder of /proc lists by number: descriptors, threads. No allocation, and raw system
 * calls: also in PID 1's loop, and between fork and exec.
 */
#ifndef LAZ_CONFINE_LISTED_H
#define LAZ_CONFINE_LISTED_H

/* `folder` is the descriptor that lists. -1 ends the walk. */
typedef int laz_listed_visit(int number, int folder, void *context);

/* Each of them, in the kernel's order; who goes meanwhile is left out. 0; -1: it cannot be listed,
 * or a visit said so. */
int laz_listed_each(const char *path, laz_listed_visit *visit, void *context);

#endif
