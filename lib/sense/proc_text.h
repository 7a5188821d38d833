/* SPDX-License-Identifier: Apache-2.0
 *
 * A piece of a file in /proc, read from its front. What is not as expected is false and never a
 * guess: names in there are the workload's.
 */
#ifndef LAZ_SENSE_PROC_TEXT_H
#define LAZ_SENSE_PROC_TEXT_H

#include <stdbool.h>
#include <stdint.h>

struct laz_proc_text {
    const char *at;
    const char *end;
};

/* What the kernel counts with: capabilities in small letters, addresses in capitals. */
#define LAZ_DIGITS_10      "0123456789"
#define LAZ_DIGITS_16      "0123456789abcdef"
#define LAZ_DIGITS_CAPITAL "0123456789ABCDEF"

/* A number in these digits, as many as its base; false if there is none, or too large a one. */
bool laz_proc_text_number(
        struct laz_proc_text *text, const char *digits, uint64_t max, uint64_t *ret);
bool laz_proc_text_char(struct laz_proc_text *text, char c);
void laz_proc_text_skip_blanks(struct laz_proc_text *text);
/* One field between blanks. */
bool laz_proc_text_skip_field(struct laz_proc_text *text);

#endif
