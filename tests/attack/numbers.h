/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers that the C library and kernel headers of Debian 12 do not have yet. From 424 on a system
 * call has the same number on every architecture.
 */
#ifndef ATTACK_NUMBERS_H
#define ATTACK_NUMBERS_H

#include <sys/prctl.h>
#include <sys/syscall.h>

#ifndef SYS_quotactl_fd
#define SYS_quotactl_fd 443
#endif
#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif
#ifndef SYS_process_mrelease
#define SYS_process_mrelease 448
#endif
#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif
#ifndef SYS_lsm_set_self_attr
#define SYS_lsm_set_self_attr 460
#endif
#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#define PR_GET_MDWE 66
#endif

/* Half a register of rubbish above an int argument, which the kernel does not look at. */
#define ATTACK_UPPER_HALF (1UL << 32)

#endif
