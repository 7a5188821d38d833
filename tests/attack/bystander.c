/* SPDX-License-Identifier: Apache-2.0
 *
 * A process in the same container that the container's init did not start, as `docker exec` makes
 * one: the target for signals, ptrace and abstract sockets. It shares the user id of the workload,
 * so that nothing but the sandbox of the attacker stands between them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "attack.h"

static int listen_at(const struct sockaddr_un *address, size_t length)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)address, (socklen_t)length) != 0 ||
            listen(fd, 16) != 0) {
        perror("bystander: socket");
        return -1;
    }
    return fd;
}

int attack_bystander_main(void)
{
    struct sockaddr_un abstract = {.sun_family = AF_UNIX};
    struct sockaddr_un named = {.sun_family = AF_UNIX, .sun_path = ATTACK_BYSTANDER_SOCKET};
    memcpy(abstract.sun_path + 1, ATTACK_BYSTANDER_ABSTRACT, sizeof(ATTACK_BYSTANDER_ABSTRACT) - 1);
    (void)unlink(named.sun_path); /* absent is fine; anything else shows when it is bound */
    if (listen_at(&abstract,
                offsetof(struct sockaddr_un, sun_path) + sizeof(ATTACK_BYSTANDER_ABSTRACT)) < 0 ||
            listen_at(&named, sizeof(named)) < 0 || chmod(named.sun_path, 0666) != 0) {
        return 1;
    }
    alarm(120);
    char text[16];
    int length = snprintf(text, sizeof(text), "%d\n", getpid());
    int fd = open(ATTACK_BYSTANDER_FILE ".new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0 || write(fd, text, (size_t)length) != length ||
            rename(ATTACK_BYSTANDER_FILE ".new", ATTACK_BYSTANDER_FILE) != 0) {
        perror("bystander: " ATTACK_BYSTANDER_FILE);
        return 1;
    }
    close(fd);
    for (;;) {
        pause();
    }
}
