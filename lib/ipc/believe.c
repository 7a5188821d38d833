/* SPDX-License-Identifier: Apache-2.0 */
#include "ipc/believe.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/format.h"

#define PROC_MAX 1024 /* as much of /proc/PID/stat as has the parent */
#define OTHERS   (S_IWGRP | S_IWOTH)

/* The beginning of a file of /proc; "": it cannot be read. */
static void read_start(pid_t pid, const char *name, char text[PROC_MAX])
{
    (void)laz_format(text, PROC_MAX, "/proc/%d/%s", (int)pid, name);
    laz_cleanup_fd int fd = open(text, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, PROC_MAX - 1);
    text[n > 0 ? n : 0] = '\0';
}

/* Of PID 1, or of nobody: a container's first process, where containers share a PID namespace. */
static bool is_first_of_all(pid_t pid)
{
    char text[PROC_MAX];
    read_start(pid, "stat", text);
    const char *name_end = strrchr(text, ')'); /* ") S PPID " */
    return name_end != NULL && strlen(name_end) > 6 && (name_end[4] == '0' || name_end[4] == '1') &&
            name_end[5] == ' ';
}

enum place {
    HERE,
    ELSEWHERE,
    SOMEWHERE, /* not to be seen */
};

/* A mount has a number of its own in each mount namespace, which everybody may read: containers
 * that share the PID namespace, and perhaps /dev/shm, do not share that. */
static enum place place_of(pid_t pid)
{
    char own[PROC_MAX];
    char theirs[PROC_MAX];
    read_start(getpid(), "mountinfo", own);
    read_start(pid, "mountinfo", theirs);
    size_t n = (size_t)(strchrnul(own, ' ') - own);
    if (n == 0 || theirs[0] == '\0') {
        return SOMEWHERE;
    }
    return strncmp(own, theirs, n + 1) == 0 ? HERE : ELSEWHERE;
}

/* An orphan of the workload's becomes the child of its init, and never of who is above that. */
bool laz_control_is_init(int fd, const char *folder)
{
    struct ucred peer = {0};
    struct stat status;
    socklen_t length = sizeof(peer);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0) {
        return false;
    }
    if (peer.pid == 1) {
        return place_of(1) != ELSEWHERE;
    }
    return peer.uid == 0 && lstat(folder, &status) == 0 && S_ISDIR(status.st_mode) &&
            status.st_uid == 0 && (status.st_mode & OTHERS) == 0 && is_first_of_all(peer.pid) &&
            place_of(peer.pid) == HERE;
}
