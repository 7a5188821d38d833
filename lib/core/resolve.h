/* SPDX-License-Identifier: Apache-2.0
 *
 * openat2(2), of which libcs know nothing.
 */
#ifndef LAZ_CORE_RESOLVE_H
#define LAZ_CORE_RESOLVE_H

#include <linux/openat2.h>
#include <stdbool.h>
#include <stdint.h>

/* Close-on-exec; -1 and errno. Where a rename or a mount, of whomever on the host, came between a
 * ".." and the kernel's look at it, the kernel answers EAGAIN: it is asked again, 100 times at
 * most. */
int laz_resolve_open(int folder, const char *path, uint64_t flags, uint64_t resolve);

/* A file of an image that is unpacked at `root`, as processes of that image would see it: no link
 * leads out. "" is this machine. -1 and errno. */
int laz_resolve_open_in(const char *root, const char *path, uint64_t flags);

/* Absolute, and each part of it a name: none is empty, "." or "..". */
bool laz_resolve_is_plain(const char *path);

#endif
