/* SPDX-License-Identifier: Apache-2.0
 *
 * What the lines of begin.def and of the filter.def files say numbers with.
 */
#ifndef LAZ_INIT_FILTER_WORDS_H
#define LAZ_INIT_FILTER_WORDS_H

#include <fcntl.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS /* 6.6 */
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#endif

/* Opening for reading, whatever other flags libc adds. */
#define READ_MASK (O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND)

#define NAMESPACES                                                                                 \
    (CLONE_NEWCGROUP | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUSER |  \
            CLONE_NEWUTS)

#endif
