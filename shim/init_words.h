/* SPDX-License-Identifier: Apache-2.0
 *
 * What stands in front of a container's command, and of an exec's. What lies at the policy's place
 * may have been put there since by whoever may use the engine, and in a user namespace no file of
 * the host is root's: lazaret-init takes the policy by its digest.
 */
#ifndef LAZ_SHIM_INIT_WORDS_H
#define LAZ_SHIM_INIT_WORDS_H

#include <stddef.h>

#define LAZ_INIT_WORDS_MAX 9

/* How many there are. `pin`: the SHA-256 of the compiled policy; "": of a record of before. */
size_t laz_init_words(const char *pin, const char *ret[LAZ_INIT_WORDS_MAX]);
/* Likewise, of an exec. `read_exec`: a folder beside the policy's; "": none. */
size_t laz_init_words_of_exec(
        const char *pin, const char *read_exec, const char *ret[LAZ_INIT_WORDS_MAX]);

#endif
