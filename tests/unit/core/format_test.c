/* SPDX-License-Identifier: Apache-2.0
 *
 * The formatter beside libc's: all that it knows, with every value and every size of buffer.
 */
#include "core/format.h"

#include <stdint.h>
#include <stdio.h>

#include <criterion/criterion.h>

#define ROOM 128

static void compare(
        const char *ours, int our_length, const char *theirs, int their_length, const char *format)
{
    cr_assert_eq(our_length, their_length, "%s: %d, libc %d", format, our_length, their_length);
    cr_assert_str_eq(ours, theirs, "%s", format);
}

/* One argument, as both see it, into buffers of every size. */
#define BOTH(format, ...)                                                                          \
    for (size_t size = 1; size <= ROOM; size += size < 40 ? 1 : 29) {                              \
        char ours[ROOM];                                                                           \
        char theirs[ROOM];                                                                         \
        int our_length = laz_format(ours, size, format, __VA_ARGS__);                              \
        int their_length = snprintf(theirs, size, format, __VA_ARGS__);                            \
        compare(ours, our_length, theirs, their_length, format);                                   \
    }

Test(format, writes_numbers_as_libc_does)
{
    static const int64_t values[] = {0, 1, 7, 8, 9, 10, 255, 256, 4095, -1, -9, -10, 65535,
            INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        int number = (int)values[i];
        long long wide = values[i];
        BOTH("<%d>", number)
        BOTH("<%u>", (unsigned)number)
        BOTH("<%x>", (unsigned)number)
        BOTH("<%#x>", (unsigned)number)
        BOTH("<%o>", (unsigned)number)
        BOTH("<%04o>", (unsigned)number)
        BOTH("<%02d>", number)
        BOTH("<%06d>", number)
        BOTH("<%4u>", (unsigned)number)
        BOTH("<%-12d>", number)
        BOTH("<%04x>", (unsigned)number)
        BOTH("<%#010x>", (unsigned)number)
        BOTH("<%ld>", (long)wide)
        BOTH("<%lu>", (unsigned long)wide)
        BOTH("<%lld>", wide)
        BOTH("<%llu>", (unsigned long long)wide)
        BOTH("<%#llx>", (unsigned long long)wide)
        BOTH("<%zu>", (size_t)wide)
    }
}

Test(format, writes_strings_as_libc_does)
{
    static const char *const texts[] = {"", "a", "five!", "a longer one, of 28 characters"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        BOTH("%s", texts[i])
        BOTH("<%s> and <%s>", texts[i], texts[i])
        BOTH("<%.5s>", texts[i])
        BOTH("<%.0s>", texts[i])
        BOTH("<%8s>", texts[i])
        BOTH("<%-8s>", texts[i])
        BOTH("<%*s>", 12, texts[i])
        BOTH("<%-*s>", 12, texts[i])
        BOTH("<%.256s>", texts[i])
        for (int precision = 0; precision < 32; precision++) {
            BOTH("<%.*s>", precision, texts[i])
        }
        BOTH("%c%s%%", 'x', texts[i])
    }
}

Test(format, does_not_read_a_string_beyond_its_precision)
{
    const char open_ended[3] = {'a', 'b', 'c'};
    char text[8];
    cr_assert_eq(laz_format(text, sizeof(text), "%.*s", 3, open_ended), 3);
    cr_assert_str_eq(text, "abc");
}

/* What is no conversion of ours does no harm; the compiler refuses it where it can see it. */
static int unchecked(char *ret, size_t size, const char *format)
{
    va_list none = {0};
    return laz_format_v(ret, size, format, none);
}

Test(format, copies_what_it_does_not_know)
{
    char text[16];
    cr_assert_eq(unchecked(text, sizeof(text), "100%"), 3);
    cr_assert_str_eq(text, "100");
    cr_assert_eq(unchecked(text, sizeof(text), "%n%f!"), 3);
    cr_assert_str_eq(text, "nf!");
    cr_assert_eq(unchecked(NULL, 0, "nothing"), 7);
}
