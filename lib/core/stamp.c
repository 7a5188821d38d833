/* SPDX-License-Identifier: Apache-2.0
 *
 * What a program is, and of which version, in an ELF note: `lazaret install` and `lazaret runtime
 * check` read it without running anything. In each program, and in no library.
 */
#include <stdint.h>

#define TEXT LAZARET_PROGRAM " " LAZARET_VERSION

struct stamp {
    uint32_t name_size;
    uint32_t text_size;
    uint32_t type;
    char name[8];
    char text[(sizeof(TEXT) + 3) / 4 * 4];
};

__attribute__((used, section(".note.lazaret"), aligned(4))) static const struct stamp stamp = {
        .name_size = sizeof("Lazaret"),
        .text_size = sizeof(TEXT),
        .type = 1,
        .name = "Lazaret",
        .text = TEXT};
