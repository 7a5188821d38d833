/* SPDX-License-Identifier: Apache-2.0
 *
 * Sockets of this host: the ones that listen, made while the role still has root's rights, and the
 * ones that go to the workload.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/fd.h"
#include "init/tunnel/tunnel.h"

#define BACKLOG     512
#define NOT_OURS    0177 /* the umask of a socket with mode 0600 */
#define IDLE_S      60   /* before the kernel asks whether a quiet peer is still there */
#define AGAIN_S     10
#define OTHER_FDS   128U /* channel, epoll, certificates, name servers */
#define FDS_OF_LINK 2U
#define SPARE_FDS   256U /* where the hard limit has them: nobody is near the edge */

union any {
    struct sockaddr base;
    struct sockaddr_in four;
    struct sockaddr_in6 six;
    struct sockaddr_un local;
};

/* 0: it is no address. */
static socklen_t address_of(const struct laz_tunnel_end *end, union any *ret)
{
    *ret = (union any){0};
    if (end->port == 0) {
        ret->local.sun_family = AF_UNIX;
        (void)snprintf(ret->local.sun_path, sizeof(ret->local.sun_path), "%s", end->host);
        return sizeof(ret->local);
    }
    if (inet_pton(AF_INET, end->host, &ret->four.sin_addr) == 1) {
        ret->four.sin_family = AF_INET;
        ret->four.sin_port = htons(end->port);
        return sizeof(ret->four);
    }
    if (inet_pton(AF_INET6, end->host, &ret->six.sin6_addr) == 1) {
        ret->six.sin6_family = AF_INET6;
        ret->six.sin6_port = htons(end->port);
        return sizeof(ret->six);
    }
    return 0;
}

static int new_socket(const union any *address)
{
    return socket(address->base.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static int failed(const struct laz_tunnel_port *port, const char *what, struct laz_err *err)
{
    const struct laz_tunnel_end *bind = &port->entry->bind;
    int cause = errno;
    char number[16] = "";
    if (bind->port != 0) {
        (void)snprintf(number, sizeof(number), ":%u", bind->port);
    }
    return laz_err_set(err, LAZ_E_TUNNEL, cause, "tls.%s[%s]: %s %s%s: %s",
            port->entry->listens ? "listen" : "connect", port->entry->name, what, bind->host,
            number, strerror(cause));
}

/* What a container before this one left there; nothing but a socket is removed. */
static void remove_stale(int folder, const char *name)
{
    struct stat status;
    if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(status.st_mode)) {
        (void)unlinkat(folder, name, 0); /* bind says what is wrong */
    }
}

/* Made in the folder that is open, whatever its path is by now, and with the mode that it keeps. */
static int bind_in(int folder, const char *name, int listener)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int result = -1;
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", name);
    if (fchdir(folder) < 0) {
        return -1;
    }
    mode_t before = umask(NOT_OURS);
    remove_stale(folder, name);
    result = bind(listener, (const struct sockaddr *)&address, sizeof(address));
    int cause = errno;
    (void)umask(before);
    if (chdir("/") < 0) {
        return -1;
    }
    errno = cause;
    return result;
}

/* That very file, and only if it is what we have just made: whoever writes in the folder may have
 * put something else there. */
static int give_away(int folder, const char *name, uid_t uid, gid_t gid)
{
    struct stat status;
    laz_cleanup_fd int made = openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (made < 0 || fstat(made, &status) < 0) {
        return -1;
    }
    if (!S_ISSOCK(status.st_mode) || status.st_uid != geteuid() || status.st_nlink != 1) {
        errno = ESTALE;
        return -1;
    }
    return fchownat(made, "", uid, gid, AT_EMPTY_PATH);
}

static int bind_local(
        const struct laz_tunnel_config *config, struct laz_tunnel_port *port, struct laz_err *err)
{
    const char *path = port->entry->bind.host;
    const char *slash = strrchr(path, '/');
    char above[LAZ_TUNNEL_SOCKET_MAX + 1] = "/";
    if (slash == NULL || slash[1] == '\0') { /* an empty name would be an abstract socket */
        errno = EINVAL;
        return failed(port, "bind", err);
    }
    if (slash > path) {
        (void)snprintf(above, sizeof(above), "%.*s", (int)(slash - path), path);
    }
    const char *name = slash + 1;
    laz_cleanup_fd int folder = open(above, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0 || bind_in(folder, name, port->listener) < 0) {
        return failed(port, "bind", err);
    }
    const struct laz_party *to = &config->workload;
    if (geteuid() != to->uid && give_away(folder, name, to->uid, to->gid) < 0) {
        return failed(port, "give to the workload", err);
    }
    return 0;
}

int laz_tunnel_listen(
        const struct laz_tunnel_config *config, struct laz_tunnel_port *port, struct laz_err *err)
{
    const struct laz_tunnel_end *end = &port->entry->bind;
    union any address;
    int yes = 1;
    if (port->listener >= 0) {
        return 0;
    }
    socklen_t size = address_of(end, &address);
    errno = EINVAL;
    port->listener = size == 0 ? -1 : new_socket(&address);
    if (port->listener < 0) {
        return failed(port, "socket for", err);
    }
    if (end->port == 0) {
        if (bind_local(config, port, err) < 0) {
            return -1;
        }
    } else {
        if (setsockopt(port->listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) < 0 ||
                (address.base.sa_family == AF_INET6 &&
                        setsockopt(port->listener, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof(yes)) <
                                0) ||
                bind(port->listener, &address.base, size) < 0) {
            return failed(port, "bind", err);
        }
    }
    return listen(port->listener, BACKLOG) < 0 ? failed(port, "listen on", err) : 0;
}

/* To each its part, as large as what it asked for is of all that was. */
static size_t share_out(struct laz_tunnel *tunnel, uint64_t links, uint64_t wanted)
{
    size_t sum = 0;
    for (uint32_t i = 0; i < tunnel->config.n_entries; i++) {
        uint64_t all = tunnel->config.entries[i].max_connections;
        uint64_t part = links >= wanted ? all : all * links / wanted;
        tunnel->ports[i].max_links = part == 0 ? 1 : (uint32_t)part;
        sum += tunnel->ports[i].max_links;
    }
    return sum;
}

size_t laz_tunnel_make_room(struct laz_tunnel *tunnel)
{
    struct rlimit limit = {0};
    rlim_t others = OTHER_FDS + tunnel->config.n_entries;
    rlim_t links = 0;
    for (uint32_t i = 0; i < tunnel->config.n_entries; i++) {
        links += tunnel->config.entries[i].max_connections;
    }
    rlim_t wanted = others + FDS_OF_LINK * links;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) {
        limit.rlim_cur = limit.rlim_max = 1024;
    }
    if (limit.rlim_cur < wanted + SPARE_FDS) {
        limit.rlim_cur = limit.rlim_max < wanted + SPARE_FDS ? limit.rlim_max : wanted + SPARE_FDS;
        laz_ignore(setrlimit(RLIMIT_NOFILE, &limit)); /* what it is is read next */
        laz_ignore(getrlimit(RLIMIT_NOFILE, &limit));
    }
    return share_out(
            tunnel, limit.rlim_cur > others ? (limit.rlim_cur - others) / FDS_OF_LINK : 0, links);
}

int laz_tunnel_connect_plain(const struct laz_tunnel_end *to)
{
    union any address;
    socklen_t size = address_of(to, &address);
    errno = EINVAL;
    int fd = size == 0 ? -1 : new_socket(&address);
    if (fd >= 0 && connect(fd, &address.base, size) < 0 && errno != EINPROGRESS) {
        int cause = errno;
        laz_fd_close(&fd);
        errno = cause;
    }
    return fd;
}

void laz_tunnel_tune(int fd)
{
    int yes = 1;
    int idle_s = IDLE_S;
    int again_s = AGAIN_S;
    unsigned unsent_ms = LAZ_TUNNEL_UNSENT_MS;
    /* None is worth failing for. */
    laz_ignore(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)));
    laz_ignore(setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unsent_ms, sizeof(unsent_ms)));
    laz_ignore(setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s)));
    laz_ignore(setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &again_s, sizeof(again_s)));
    laz_ignore(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof(yes)));
}
