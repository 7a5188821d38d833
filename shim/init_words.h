/* SPDX-License-Identifier: Apache-2.0
 *
 * What stands in front of a container's command, and of an exec's. In a user namespace of the
 * container's own no file of the host is root's, and lazaret-init then takes the policy by its
 * digest alone.
 */
#ifndef LAZ_SHIM_INIT_WORDS_H
#define LAZ_SHIM_INIT_WORDS_H

#include <stddef.h>

#define LAZ_INIT_WORDS_MAX 9

/* How many there are. `pin`: the SHA-256 of the compiled policy; "": the file is root's
 * inside. */
size_t laz_init_words(const char *pin, const char *ret[LAZ_INIT_WORDS_MAX]);
/* Likewise, of an exec. `read_exec`: a folder beside the policy's; "": none. */
size_t laz_init_words_of_exec(
        const char *pin, const char *read_exec, const char *ret[LAZ_INIT_WORDS_MAX]);

#endif
