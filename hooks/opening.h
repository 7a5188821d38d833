/* SPDX-License-Identifier: Apache-2.0
 *
 * openat2(2), of which libcs know nothing.
 */
#ifndef LAZ_HOOKS_OPENING_H
#define LAZ_HOOKS_OPENING_H

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* -1 and errno. */
static inline int laz_hook_open(int folder, const char *path, uint64_t flags, uint64_t resolve)
{
    const struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = resolve};
    return (int)syscall(SYS_openat2, folder, path, &how, sizeof(how));
}

#endif
