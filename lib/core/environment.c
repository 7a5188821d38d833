/* SPDX-License-Identifier: Apache-2.0
 *
 * The environment of this process. libc only: linked into PID 1.
 */
#include "core/environment.h"

#include <stddef.h>
#include <string.h>

const char *laz_environment_value(const char *entry, const char *name)
{
    size_t length = strlen(name);
    return strncmp(entry, name, length) == 0 && entry[length] == '=' ? entry + length + 1 : NULL;
}

const char *laz_environment_find(char *const *environment, const char *name)
{
    for (; environment != NULL && *environment != NULL; environment++) {
        const char *value = laz_environment_value(*environment, name);
        if (value != NULL) {
            return value;
        }
    }
    return NULL;
}

void laz_environment_wipe(char **environment)
{
    for (; *environment != NULL; environment++) {
        explicit_bzero(*environment, strlen(*environment));
    }
}
