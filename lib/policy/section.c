/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers and strings of a compiled policy. libc only.
 */
#include "policy/section.h"

#include <string.h>

void laz_section_put_uint(struct laz_buf *buf, uint64_t value, unsigned size)
{
    uint8_t bytes[8];
    for (unsigned i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(value >> (8 * i));
    }
    laz_buf_put(buf, bytes, size);
}

void laz_section_put_string(struct laz_buf *buf, const char *text)
{
    laz_buf_put(buf, text, strlen(text) + 1);
}

void laz_section_require(struct laz_section *in, bool holds, const char *what)
{
    if (!holds && in->wrong == NULL) {
        in->wrong = what;
    }
}

const uint8_t *laz_section_bytes(struct laz_section *in, size_t size)
{
    if (in->wrong != NULL || (size_t)(in->end - in->at) < size) {
        laz_section_require(in, false, "it ends too early");
        return NULL;
    }
    const uint8_t *taken = in->at;
    in->at += size;
    return taken;
}

uint64_t laz_section_uint(struct laz_section *in, unsigned size, uint64_t min, uint64_t max)
{
    const uint8_t *bytes = laz_section_bytes(in, size);
    uint64_t value = 0;
    for (unsigned i = 0; bytes != NULL && i < size; i++) {
        value |= (uint64_t)bytes[i] << (8 * i);
    }
    laz_section_require(in, value >= min && value <= max, "a number is out of range");
    return in->wrong == NULL ? value : 0;
}

uint32_t laz_section_u32(struct laz_section *in, uint32_t min, uint32_t max)
{
    return (uint32_t)laz_section_uint(in, 4, min, max);
}

uint32_t laz_section_below(struct laz_section *in, unsigned size, uint32_t max, const char *what)
{
    uint64_t value = laz_section_uint(in, size, 0, UINT64_MAX);
    laz_section_require(in, value <= max, what);
    return in->wrong == NULL ? (uint32_t)value : 0;
}

bool laz_section_bool(struct laz_section *in)
{
    return laz_section_below(in, 1, 1, "a boolean is neither 0 nor 1") == 1;
}

const char *laz_section_string(struct laz_section *in, size_t min, size_t max)
{
    size_t rest = in->wrong != NULL ? 0 : (size_t)(in->end - in->at);
    const uint8_t *nul = rest == 0 ? NULL : memchr(in->at, 0, rest);
    if (nul == NULL) {
        laz_section_require(in, false, "a string does not end");
        return "";
    }
    const char *text = (const char *)in->at;
    size_t length = (size_t)(nul - in->at);
    in->at = nul + 1;
    laz_section_require(in, length >= min && length <= max, "a string is too short or too long");
    return text;
}

const char *laz_section_path(struct laz_section *in)
{
    const char *path = laz_section_string(in, 0, SIZE_MAX);
    laz_section_require(in, path[0] == '/', "a path is not absolute");
    return path;
}
