/* SPDX-License-Identifier: Apache-2.0
 *
 * The layers of the kernel around seccomp, as `policy explain` tells of them: one line each. Says
 * what the kernel's documentation says; nothing is tried.
 */
#ifndef LAZ_CLI_LAYERS_H
#define LAZ_CLI_LAYERS_H

#include "cli/explanation.h"

/* Every explanation has these lines, in this order. */
#define LAZ_LAYER_PLATFORM     "platform filter"
#define LAZ_LAYER_SECCOMP      "seccomp"
#define LAZ_LAYER_LANDLOCK     "Landlock"
#define LAZ_LAYER_CAPABILITIES "capabilities"
#define LAZ_LAYER_NO_NEW_PRIVS "no_new_privs"

/* The platform's own filter, as far as it can be known from here. */
void laz_layers_platform(struct laz_explanation *ret);
void laz_layers_no_new_privs(struct laz_explanation *ret, bool is_exec);

/* What Landlock looks at when this call is made, under this policy. */
void laz_layers_landlock_call(const struct laz_policy *policy, const struct laz_syscall *call,
        struct laz_explanation *ret);
/* "; where the kernel has Landlock ABI 4", unless `requires.landlock` makes sure of it. */
void laz_layers_landlock_level(const struct laz_policy *policy, unsigned abi, struct laz_buf *buf);

/* "chroot silently refused with EPERM": what seccomp says about one call, in a few words. */
void laz_layers_brief(
        const struct laz_policy *policy, const struct laz_syscall *call, struct laz_buf *buf);

/* The capability that this call asks for; -1: none. */
int laz_layers_capability(const struct laz_syscall *call, bool *ret_always);
void laz_layers_capability_call(const struct laz_policy *policy, const struct laz_syscall *call,
        struct laz_explanation *ret);
bool laz_layers_keeps(const struct laz_policy *policy, int capability);

#endif
