/* SPDX-License-Identifier: Apache-2.0
 *
 * How long to wait before the next try: a random part of a ceiling that doubles, so that a thousand
 * tasks that lost one collector do not come back to it in step.
 */
#ifndef LAZ_SINK_BACKOFF_H
#define LAZ_SINK_BACKOFF_H

#include <stdint.h>

struct laz_backoff {
    uint32_t min_ms;
    uint32_t max_ms;
    uint32_t ceiling_ms; /* of the last wait; 0 before the first */
};

/* 0 to the ceiling, both included; `random` is any 32 random bits. */
uint32_t laz_backoff_next_ms(struct laz_backoff *backoff, uint32_t random);
void laz_backoff_reset(struct laz_backoff *backoff);

#endif
