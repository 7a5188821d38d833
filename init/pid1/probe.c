/* SPDX-License-Identifier: Apache-2.0
 *
 * The health command. Believes nothing but the kernel (ipc/believe.h). No environment, no file, no
 * heap, one line on standard output. libc only.
 */
#include "init/pid1/probe.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "core/deadline.h"
#include "core/fd.h"
#include "core/format.h"
#include "core/num.h"
#include "ipc/believe.h"
#include "ipc/control.h"

#define DEFAULT_MS 2000
#define MOST_MS    60000
#define SHOWN_MAX  33 /* of a word that is not understood */

static uint64_t now_ns(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static int say(const char *text)
{
    struct laz_err ignored = {0}; /* the exit code says it too */
    char line[LAZ_PROBE_TEXT_MAX + 2];
    int n = laz_format(line, sizeof(line) - 1, "%s", text);
    size_t length = n < (int)sizeof(line) - 1 ? (size_t)n : sizeof(line) - 2;
    line[length] = '\n';
    laz_ignore(laz_fd_write_all(STDOUT_FILENO, line, length + 1, &ignored));
    return 1;
}

static bool parse_time(const char *text, uint64_t *ret_ms)
{
    size_t digits = laz_count_digits(text);
    bool is_ms = strcmp(text + digits, "ms") == 0;
    uint64_t value = 0;
    if ((!is_ms && strcmp(text + digits, "s") != 0) ||
            !laz_parse_u64(text, digits, MOST_MS, &value)) {
        return false;
    }
    *ret_ms = is_ms ? value : value * 1000;
    return *ret_ms > 0 && *ret_ms <= MOST_MS;
}

static void set_timeout(int fd, int option, uint64_t until_ns)
{
    uint64_t at_ns = now_ns();
    uint64_t us = at_ns < until_ns ? (until_ns - at_ns) / 1000 + 1 : 1; /* 0 would be for ever */
    const struct timeval time = {
            .tv_sec = (time_t)(us / 1000000), .tv_usec = (suseconds_t)(us % 1000000)};
    (void)setsockopt(fd, SOL_SOCKET, option, &time, sizeof(time));
}

/* -1: nobody listens; errno says why. */
static int connect_to(const char *folder, const char *name, uint64_t until_ns)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    (void)laz_format(address.sun_path, sizeof(address.sun_path), "%s/%s", folder, name);
    set_timeout(fd, SO_SNDTIMEO, until_ns); /* where too many are waiting already */
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        int cause = errno;
        laz_fd_close(&fd);
        errno = cause;
    }
    return fd;
}

/* One line of printable text behind the byte that decides. */
static int judge(char *answer, ssize_t n)
{
    if (n < 0) {
        return say(errno == EAGAIN ? "health: no answer in time: it hangs, or is being started"
                                   : "health: no answer");
    }
    answer[n] = '\0';
    bool is_one = n > 0 && n <= LAZ_PROBE_TEXT_MAX + 1 && (answer[0] == '0' || answer[0] == '1');
    for (ssize_t i = 1; i < n; i++) {
        is_one = is_one && answer[i] >= ' ' && answer[i] <= '~';
    }
    if (!is_one) {
        return say(n == 0 ? "health: ended before it answered" : "health: no answer of init's");
    }
    (void)say(answer + 1);
    return answer[0] - '0';
}

static int ask(int fd, char what, uint64_t until_ns)
{
    char answer[LAZ_PROBE_TEXT_MAX + 8];
    struct iovec bytes = {.iov_base = &what, .iov_len = 1};
    struct msghdr header = {.msg_iov = &bytes, .msg_iovlen = 1};
    set_timeout(fd, SO_RCVTIMEO, until_ns);
    if (sendmsg(fd, &header, MSG_NOSIGNAL) < 0) {
        return say("health: ended before it was asked");
    }
    bytes = (struct iovec){.iov_base = answer, .iov_len = sizeof(answer) - 1};
    return judge(answer, recvmsg(fd, &header, 0));
}

static int find_and_ask(char what, uint64_t until_ns)
{
    char text[LAZ_ERR_MESSAGE_MAX];
    char name[LAZ_CONTROL_SOCKET_MAX];
    int worst = ENOENT;
    bool is_other = false;
    laz_control_socket_name(LAZ_CONTROL_SOCKET_PROBE, name);
    for (unsigned i = 0; i < LAZ_CONTROL_FOLDER_COUNT; i++) {
        const char *folder = laz_control_folder(i);
        laz_cleanup_fd int fd = connect_to(folder, name, until_ns);
        if (fd >= 0 && laz_control_is_init(fd, folder)) {
            return ask(fd, what, until_ns);
        }
        is_other = is_other || fd >= 0;
        worst = fd < 0 && errno != ENOENT ? errno : worst;
    }
    if (is_other) {
        return say("health: somebody else listens where init should; to be believed, lazaret-init "
                   "must be of this container, and PID 1, or root and this container's first");
    }
    (void)laz_format(text, sizeof(text),
            "health: no init answers at /run/lazaret/%s or /dev/shm/.lazaret/%s (%s); the policy "
            "needs health, and one of the folders must be writable for init",
            name, name, laz_err_errno_name(worst));
    return say(text);
}

#define USAGE "usage: lazaret-init probe live|ready|startup [--timeout 2s]"

/* What others call the three questions begins like ours, or is about life. */
static int refuse_question(const char *word)
{
    char text[LAZ_ERR_MESSAGE_MAX];
    char shown[SHOWN_MAX];
    const char *mean = strchr("lLaAhH", word[0]) != NULL ? "live"
            : word[0] == 'r' || word[0] == 'R'           ? "ready"
            : word[0] == 's' || word[0] == 'S'           ? "startup"
                                                         : "";
    (void)laz_format(shown, sizeof(shown), "%s", word);
    laz_format_printable(shown);
    (void)laz_format(text, sizeof(text), "health: nobody is asked \"%s\"%s%s%s; %s", shown,
            mean[0] == '\0' ? "" : " (did you mean ", mean, mean[0] == '\0' ? "" : "?)", USAGE);
    return say(word[0] == '\0' ? USAGE : text);
}

static int refuse_time(const char *word)
{
    char text[LAZ_ERR_MESSAGE_MAX];
    char shown[SHOWN_MAX];
    (void)laz_format(shown, sizeof(shown), "%s", word);
    laz_format_printable(shown);
    (void)laz_format(text, sizeof(text),
            "health: --timeout takes a number and its unit, such as 2s or 500ms, at most 60s, not "
            "\"%s\"",
            shown);
    return say(text);
}

int laz_probe_health(char *const *words)
{
    uint64_t wait_ms = DEFAULT_MS;
    /* Who has its user cannot stop it and write a 0 for it. */
    (void)prctl(PR_SET_DUMPABLE, 0UL, 0UL, 0UL, 0UL);
    const char *what = words[0] == NULL ? "" : words[0];
    if (strcmp(what, "live") != 0 && strcmp(what, "ready") != 0 && strcmp(what, "startup") != 0) {
        return refuse_question(what);
    }
    if (words[1] != NULL) {
        bool is_time = strcmp(words[1], "--timeout") == 0 && words[2] != NULL && words[3] == NULL;
        if (!is_time) {
            return say(USAGE);
        }
        if (!parse_time(words[2], &wait_ms)) {
            return refuse_time(words[2]);
        }
    }
    return find_and_ask(what[0], now_ns() + wait_ms * LAZ_NS_PER_MS);
}
