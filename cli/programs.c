/* SPDX-License-Identifier: Apache-2.0
 *
 * Looks at files of programs, and runs none.
 */
#include "cli/programs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "core/fd.h"
#include "core/rooted.h"

#define PATH_SIZE 128
#define SIZE_MAX_ ((off_t)256 << 20) /* more than any build of ours, a sanitizer's too */

const char *const laz_programs[] = {"lazaret-shim", "lazaret-prepare", "lazaret-init",
        "lazaret-setup", "lazaret-helper", "lazaret-hook", NULL};

/* The name of the note and what is before it, behind the length of its text. */
static const char type_and_name[] = "\1\0\0\0Lazaret";

/* A file may have the bytes elsewhere too, as this program does: what follows has to be one of our
 * names. */
static bool take_text(const char *at, size_t left, char ret[LAZ_PROGRAM_SAYS])
{
    static const char beginning[] = "lazaret";
    size_t length = strnlen(at, left);
    if (length == left || length >= LAZ_PROGRAM_SAYS ||
            strncmp(at, beginning, sizeof(beginning) - 1) != 0 || memchr(at, ' ', length) == NULL) {
        return false;
    }
    (void)memcpy(ret, at, length + 1);
    return true;
}

static void find(const char *bytes, size_t length, char ret[LAZ_PROGRAM_SAYS])
{
    const char *end = bytes + length;
    const char *at = memmem(bytes, length, type_and_name, sizeof(type_and_name));
    while (at != NULL) {
        at += sizeof(type_and_name);
        if (take_text(at, (size_t)(end - at), ret)) {
            return;
        }
        at = memmem(at, (size_t)(end - at), type_and_name, sizeof(type_and_name));
    }
}

void laz_program_says(int fd, char ret[LAZ_PROGRAM_SAYS])
{
    struct stat status;
    ret[0] = '\0';
    if (fstat(fd, &status) < 0 || status.st_size <= 0 || status.st_size > SIZE_MAX_) {
        return;
    }
    void *bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED) {
        return;
    }
    find(bytes, (size_t)status.st_size, ret);
    (void)munmap(bytes, (size_t)status.st_size);
}

static int unfit(struct laz_err *err, const char *path, const char *why, const char *what)
{
    return laz_err_set(err, LAZ_E_PROGRAM, 0, "%s %s%s", path, why, what);
}

static int judge(int fd, const char *name, const char *path, struct laz_err *err)
{
    struct stat status;
    char says[LAZ_PROGRAM_SAYS];
    char wanted[LAZ_PROGRAM_SAYS];
    if (fstat(fd, &status) < 0) {
        return laz_err_set(err, LAZ_E_SYSTEM, errno, "%s: %s", path, strerror(errno));
    }
    if ((status.st_mode & 0111) != 0111) { /* also a workload's user runs lazaret-init */
        return laz_err_set(err, LAZ_E_PROGRAM, 0, "%s may not be executed by everybody, mode %04o",
                path, status.st_mode & 07777U);
    }
    (void)snprintf(wanted, sizeof(wanted), "%s " LAZARET_VERSION, name);
    laz_program_says(fd, says);
    if (says[0] == '\0') {
        return unfit(err, path, "is no program of Lazaret", "");
    }
    return strcmp(says, wanted) == 0
            ? 0
            : laz_err_set(err, LAZ_E_PROGRAM, 0, "%s is %s, and this command " LAZARET_VERSION,
                      path, says);
}

int laz_program_look(const char *name, struct laz_err *err)
{
    char path[PATH_SIZE];
    laz_cleanup_fd int fd = -1;
    struct laz_err why = {0};
    (void)snprintf(path, sizeof(path), LAZ_PROGRAMS_FOLDER "/%s", name);
    if (laz_rooted_open(path, &fd, &why) < 0) {
        return laz_err_set(err, why.kind == LAZ_E_HOST_ABSENT ? LAZ_E_PROGRAM : why.kind,
                why.sys_errno, "%s", why.message);
    }
    return judge(fd, name, path, err);
}
