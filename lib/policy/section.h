/* SPDX-License-Identifier: Apache-2.0
 *
 * What the compiled policy, and each section of it for a helper, is made of: little-endian numbers
 * and strings with their NUL. The reader trusts nothing, and needs nothing else of this area. libc
 * only: linked into PID 1.
 */
#ifndef LAZ_POLICY_SECTION_H
#define LAZ_POLICY_SECTION_H

#include "core/buf.h"

void laz_section_put_uint(struct laz_buf *buf, uint64_t value, unsigned size);
void laz_section_put_string(struct laz_buf *buf, const char *text);

/* Remembers its first mistake: after one, everything reads as zero or "". */
struct laz_section {
    const uint8_t *at;
    const uint8_t *end;
    const char *wrong; /* static; NULL while all is well */
};

void laz_section_require(struct laz_section *in, bool holds, const char *what);
/* So many bytes as they are, borrowed; NULL where they are not there. */
const uint8_t *laz_section_bytes(struct laz_section *in, size_t size);
uint64_t laz_section_uint(struct laz_section *in, unsigned size, uint64_t min, uint64_t max);
uint32_t laz_section_u32(struct laz_section *in, uint32_t min, uint32_t max);
/* No more than `max`; `what` is wrong with one that is. */
uint32_t laz_section_below(struct laz_section *in, unsigned size, uint32_t max, const char *what);
bool laz_section_bool(struct laz_section *in);
/* Borrowed from the section; of so many bytes, the NUL not counted. */
const char *laz_section_string(struct laz_section *in, size_t min, size_t max);
/* A string that is an absolute path. */
const char *laz_section_path(struct laz_section *in);

#endif
