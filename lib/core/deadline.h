/* SPDX-License-Identifier: Apache-2.0
 *
 * Deadlines: nanoseconds of a clock that does not jump, 0 where there is none. libc only.
 */
#ifndef LAZ_CORE_DEADLINE_H
#define LAZ_CORE_DEADLINE_H

#include <stdint.h>

#define LAZ_NS_PER_MS UINT64_C(1000000)

/* *due_ns becomes the other one where that comes first, or is the only one. */
static inline void laz_sooner(uint64_t *due_ns, uint64_t other_ns)
{
    if (other_ns != 0 && (*due_ns == 0 || other_ns < *due_ns)) {
        *due_ns = other_ns;
    }
}

#endif
