/* SPDX-License-Identifier: Apache-2.0
 *
 * Tables of mounts, line by line: they are as long as the host has mounts.
 */
#include "hooks/mounts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "core/format.h"

#define DEVICE_SIZE 24 /* "MAJOR:MINOR " */

/* Behind so many words, each with one blank; the kernel escapes those of paths. */
static const char *skip_words(const char *line, unsigned n)
{
    while (n > 0 && line != NULL) {
        line = strchr(line, ' ');
        line = line == NULL ? NULL : line + 1;
        n--;
    }
    return line;
}

/* "ID PARENT MAJOR:MINOR ROOT PLACE ..." */
static bool count_line(const char *line, const char *device, struct laz_hook_mounts *ret)
{
    size_t length = strlen(device);
    const char *its = skip_words(line, 2);
    const char *root = skip_words(line, 3);
    if (skip_words(line, 4) == NULL) {
        return false;
    }
    if (strncmp(its, device, length) == 0) {
        ret->n++;
        ret->is_whole = ret->is_whole && strncmp(root, "/ ", 2) == 0;
    }
    return true;
}

int laz_hook_find_mounts(
        const char *table, dev_t device, struct laz_hook_mounts *ret, struct laz_err *err)
{
    char word[DEVICE_SIZE];
    char *line = NULL;
    size_t size = 0;
    bool is_table = true;
    *ret = (struct laz_hook_mounts){.is_whole = true};
    (void)laz_format(word, sizeof(word), "%u:%u ", major(device), minor(device));
    FILE *file = fopen(table, "re");
    if (file == NULL) {
        return laz_err_set(err, LAZ_E_DELIVERY, errno, "%s: %s", table, laz_err_errno_name(errno));
    }
    while (is_table && getline(&line, &size, file) > 0) {
        is_table = count_line(line, word, ret);
    }
    bool is_read = feof(file) != 0;
    free(line);
    (void)fclose(file);
    return is_table && is_read
            ? 0
            : laz_err_set(err, LAZ_E_DELIVERY, 0, "%s cannot be read to its end", table);
}
