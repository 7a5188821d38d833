/* SPDX-License-Identifier: Apache-2.0
 *
 * Exponential backoff with full jitter.
 */
#include "sink/backoff.h"

uint32_t laz_backoff_next_ms(struct laz_backoff *backoff, uint32_t random)
{
    uint64_t ceiling = backoff->ceiling_ms == 0 ? backoff->min_ms : 2ULL * backoff->ceiling_ms;
    if (ceiling > backoff->max_ms) {
        ceiling = backoff->max_ms;
    }
    backoff->ceiling_ms = (uint32_t)ceiling;
    return (uint32_t)(((ceiling + 1) * random) >> 32);
}

void laz_backoff_reset(struct laz_backoff *backoff)
{
    backoff->ceiling_ms = 0;
}
