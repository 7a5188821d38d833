/* SPDX-License-Identifier: Apache-2.0
 *
 * The formatter beside libc's: all that it knows, with every value and every size of buffer.
 */
#include "core/format.h"

#include <stdint.h>
#include <stdio.h>

#include <criterion/criterion.h>

#define ROOM 128

/* One conversion as both write it, into buffers of every size: the conversion, if they ever differ.
 */
#define DIFFER(ret, format, ...)                                                                   \
    for (size_t size = 1; size <= ROOM && (ret) == NULL; size += size < 40 ? 1 : 29) {             \
        char ours[ROOM];                                                                           \
        char theirs[ROOM];                                                                         \
        int our_length = laz_format(ours, size, format, __VA_ARGS__);                              \
        int their_length = snprintf(theirs, size, format, __VA_ARGS__);                            \
        bool same = our_length == their_length && strcmp(ours, theirs) == 0;                       \
        (ret) = same ? NULL : (format);                                                            \
    }

Test(format, writes_numbers_as_libc_does)
{
    static const int64_t values[] = {0, 1, 7, 8, 9, 10, 255, 256, 4095, -1, -9, -10, 65535,
            INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        const char *differ = NULL;
        int number = (int)values[i];
        long long wide = values[i];
        DIFFER(differ, "<%d>", number)
        DIFFER(differ, "<%u>", (unsigned)number)
        DIFFER(differ, "<%x>", (unsigned)number)
        DIFFER(differ, "<%#x>", (unsigned)number)
        DIFFER(differ, "<%o>", (unsigned)number)
        DIFFER(differ, "<%04o>", (unsigned)number)
        DIFFER(differ, "<%02d>", number)
        DIFFER(differ, "<%06d>", number)
        DIFFER(differ, "<%4u>", (unsigned)number)
        DIFFER(differ, "<%-12d>", number)
        DIFFER(differ, "<%04x>", (unsigned)number)
        DIFFER(differ, "<%#010x>", (unsigned)number)
        DIFFER(differ, "<%ld>", (long)wide)
        DIFFER(differ, "<%lu>", (unsigned long)wide)
        DIFFER(differ, "<%lld>", wide)
        DIFFER(differ, "<%llu>", (unsigned long long)wide)
        DIFFER(differ, "<%#llx>", (unsigned long long)wide)
        DIFFER(differ, "<%zu>", (size_t)wide)
        cr_assert_null(differ, "\"%s\" of %lld", differ, wide);
    }
}

Test(format, writes_strings_as_libc_does)
{
    static const char *const texts[] = {"", "a", "five!", "a longer one, of 28 characters"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const char *differ = NULL;
        DIFFER(differ, "%s", texts[i])
        DIFFER(differ, "<%s> and <%s>", texts[i], texts[i])
        DIFFER(differ, "<%.5s>", texts[i])
        DIFFER(differ, "<%.0s>", texts[i])
        DIFFER(differ, "<%8s>", texts[i])
        DIFFER(differ, "<%-8s>", texts[i])
        DIFFER(differ, "<%*s>", 12, texts[i])
        DIFFER(differ, "<%-*s>", 12, texts[i])
        DIFFER(differ, "<%.256s>", texts[i])
        for (int precision = 0; precision < 32; precision++) {
            DIFFER(differ, "<%.*s>", precision, texts[i])
        }
        DIFFER(differ, "%c%s%%", 'x', texts[i])
        cr_assert_null(differ, "\"%s\" of \"%s\"", differ, texts[i]);
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
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static int unchecked(char *ret, size_t size, const char *format)
{
    va_list none = {0};
    return laz_format_v(ret, size, format, none);
}
#pragma GCC diagnostic pop

Test(format, copies_what_it_does_not_know)
{
    char text[16];
    cr_assert_eq(unchecked(text, sizeof(text), "100%"), 3);
    cr_assert_str_eq(text, "100");
    cr_assert_eq(unchecked(text, sizeof(text), "%n%f!"), 3);
    cr_assert_str_eq(text, "nf!");
    cr_assert_eq(unchecked(NULL, 0, "nothing"), 7);
}
