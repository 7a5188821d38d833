/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernel's audit keeps the user who has logged in through every change of ids.
 */
#include "core/caller.h"

#include <fcntl.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/format.h"
#include "core/num.h"

#define SHOWN_MAX  512 /* bytes of a path in a record: all of it has to fit into one */
#define TEXT_SIZE  48
#define LOGIN_NONE UINT32_MAX /* the kernel's: nobody has logged in */

void laz_caller_put_login(struct laz_json *json)
{
    char text[TEXT_SIZE];
    size_t length = 0;
    uint64_t uid = LOGIN_NONE;
    struct laz_err ignored = {0};
    laz_cleanup_fd int fd = open("/proc/self/loginuid", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || laz_fd_read_all(fd, text, sizeof(text), &length, &ignored) < 0 ||
            !laz_parse_u64(text, length, LOGIN_NONE, &uid) || uid == LOGIN_NONE) {
        laz_json_i64(json, "login", -1);
        return;
    }
    laz_json_u64(json, "login", uid);
}

void laz_caller_put_program(struct laz_json *json, const char *key)
{
    char entry[TEXT_SIZE];
    char program[SHOWN_MAX];
    (void)laz_format(entry, sizeof(entry), "/proc/%d/exe", (int)getppid());
    ssize_t length = readlink(entry, program, sizeof(program));
    laz_json_bytes(json, key, program, length < 0 ? 0 : (size_t)length);
}
