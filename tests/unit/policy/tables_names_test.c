/* SPDX-License-Identifier: Apache-2.0
 *
 * The small vocabularies, against libc's idea of the same names, and the suggestions.
 */
#include <errno.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <criterion/criterion.h>

#include "policy/tables/tables.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* ---- Small tables ---- */

Test(policy_names, capabilities_are_complete)
{
    for (int capability = 0; capability <= CAP_LAST_CAP; capability++) {
        const char *name = laz_capability_name(capability);
        cr_assert_not_null(name, "%d", capability);
        cr_expect_eq(laz_capability_by_name(name, strlen(name)), capability, "%s", name);
        cr_expect_eq(laz_capability_by_name(name + 4, strlen(name) - 4), capability, "%s", name);
    }
    cr_assert_eq(laz_capability_by_name("CAP_CHOWN", 9), CAP_CHOWN);
    cr_assert_eq(laz_capability_by_name("CHECKPOINT_RESTORE", 18), CAP_CHECKPOINT_RESTORE);
    static const char *const unknown[] = {"", "CAP_", "cap_chown", "chown", "CAP_CAP_CHOWN", "ALL"};
    for (size_t i = 0; i < LENGTH(unknown); i++) {
        cr_expect_eq(laz_capability_by_name(unknown[i], strlen(unknown[i])), -1, "%s", unknown[i]);
    }
    cr_assert_null(laz_capability_name(-1));
    cr_assert_null(laz_capability_name(64));
}

Test(policy_names, errnos_have_names)
{
    cr_assert_eq(laz_errno_by_name("EPERM", 5), EPERM);
    cr_assert_eq(laz_errno_by_name("ENOSYS", 6), ENOSYS);
    cr_assert_eq(laz_errno_by_name("EHWPOISON", 9), EHWPOISON);
    cr_assert_eq(laz_errno_by_name("EWOULDBLOCK", 11), EAGAIN);
    cr_assert_eq(laz_errno_by_name("ENOTSUP", 7), EOPNOTSUPP);
    cr_assert_eq(laz_errno_by_name("PERM", 4), -1);
    cr_assert_eq(laz_errno_by_name("EPERMX", 6), -1);
    cr_assert_eq(laz_errno_by_name("", 0), -1);
    cr_assert_str_eq(laz_errno_name(EAGAIN), "EAGAIN");
    cr_assert_null(laz_errno_name(0));
    for (int number = 1; number <= EHWPOISON; number++) {
        const char *name = laz_errno_name(number);
        cr_expect_eq(strerrorname_np(number) == NULL, name == NULL, "%d", number);
        cr_expect(!name || strcmp(name, strerrorname_np(number)) == 0, "%s", name);
    }
}

Test(policy_names, signals_have_names)
{
    for (int number = 1; number < 32; number++) {
        const char *name = laz_signal_name(number);
        cr_assert_not_null(name, "%d", number);
        const char *theirs = number == SIGIO ? "IO" : sigabbrev_np(number); /* glibc: POLL */
        cr_expect_str_eq(name + 3, theirs);
    }
    for (int number = 34; number <= 64; number++) {
        char name[sizeof("RTMIN+30")];
        int length = number == 34 ? snprintf(name, sizeof(name), "RTMIN")
                                  : snprintf(name, sizeof(name), "RTMIN+%d", number - 34);
        cr_expect_eq(laz_signal_by_name(name, (size_t)length), number, "%s", name);
        cr_expect_str_eq(laz_signal_name(number) + 3, name);
    }
    cr_assert_eq(laz_signal_by_name("SIGTERM", 7), SIGTERM);
    cr_assert_eq(laz_signal_by_name("TERM", 4), SIGTERM);
    cr_assert_eq(laz_signal_by_name("IOT", 3), SIGABRT);
    cr_assert_eq(laz_signal_by_name("SIGRTMIN+3", 10), 37);
    static const char *const unknown[] = {"", "SIG", "term", "SIGSIGTERM", "RTMIN+31", "RTMIN+"};
    for (size_t i = 0; i < LENGTH(unknown); i++) {
        cr_expect_eq(laz_signal_by_name(unknown[i], strlen(unknown[i])), -1, "%s", unknown[i]);
    }
    cr_assert_null(laz_signal_name(0));
    cr_assert_null(laz_signal_name(32)); /* the C library's own */
}

Test(policy_names, limits_have_names)
{
    static const struct {
        const char *name;
        int resource;
    } rows[] = {{"open-files", RLIMIT_NOFILE}, {"processes", RLIMIT_NPROC},
            {"core-size", RLIMIT_CORE}, {"file-size", RLIMIT_FSIZE}, {"cpu-time", RLIMIT_CPU},
            {"address-space", RLIMIT_AS}, {"data-size", RLIMIT_DATA}, {"stack-size", RLIMIT_STACK},
            {"resident-set", RLIMIT_RSS}, {"locked-memory", RLIMIT_MEMLOCK},
            {"file-locks", RLIMIT_LOCKS}, {"pending-signals", RLIMIT_SIGPENDING},
            {"message-queues", RLIMIT_MSGQUEUE}, {"nice", RLIMIT_NICE},
            {"realtime-priority", RLIMIT_RTPRIO}, {"realtime-time", RLIMIT_RTTIME}};
    cr_assert_eq(LENGTH(rows), RLIM_NLIMITS);
    for (size_t i = 0; i < LENGTH(rows); i++) {
        cr_expect_eq(laz_rlimit_by_name(rows[i].name, strlen(rows[i].name)), rows[i].resource, "%s",
                rows[i].name);
        cr_expect_str_eq(laz_rlimit_name(rows[i].resource), rows[i].name);
    }
    cr_assert_eq(laz_rlimit_by_name("RLIMIT_NOFILE", 13), -1);
    cr_assert_null(laz_rlimit_name(RLIM_NLIMITS));
}

Test(policy_names, socket_families_have_names)
{
    for (size_t i = 0; i < laz_socket_family_count(); i++) {
        const struct laz_socket_family *entry = laz_socket_family_at(i);
        cr_expect_eq(laz_socket_family_by_name(entry->name, strlen(entry->name)), entry, "%s",
                entry->name);
        cr_expect_eq(laz_socket_family_by_value(entry->family, entry->protocol), entry, "%s",
                entry->name);
    }
    cr_assert_eq(laz_socket_family_by_name("vsock", 5)->family, AF_VSOCK);
    cr_assert_eq(laz_socket_family_by_name("inet6", 5)->family, AF_INET6);
    cr_assert_eq(laz_socket_family_by_name("inet6", 4)->family, AF_INET);
    const struct laz_socket_family *route = laz_socket_family_by_name("netlink-route", 13);
    cr_assert(route->family == AF_NETLINK && route->protocol == NETLINK_ROUTE);
    cr_assert_eq(laz_socket_family_by_value(AF_NETLINK, NETLINK_ROUTE), route);
    cr_assert_str_eq(laz_socket_family_by_value(AF_NETLINK, NETLINK_AUDIT)->name, "netlink");
    cr_assert_str_eq(laz_socket_family_by_value(AF_UNIX, 0)->name, "unix");
    cr_assert_null(laz_socket_family_by_name("AF_UNIX", 7));
    cr_assert_null(laz_socket_family_by_value(AF_UNSPEC, 0));
}

/* ---- Suggestions ---- */

static void expect_suggestion(const char *word, const char *found, const char *wanted)
{
    cr_expect(wanted ? found && strcmp(found, wanted) == 0 : !found, "\"%s\": %s, not %s", word,
            found ? found : "nothing", wanted ? wanted : "nothing");
}

Test(policy_names, suggests_the_nearest_name)
{
    static const struct {
        enum laz_names table;
        const char *word;
        const char *wanted;
    } rows[] = {
            {LAZ_NAMES_SYSCALL, "opnat", "openat"},
            {LAZ_NAMES_SYSCALL, "openta", "openat"}, /* a transposition is one step */
            {LAZ_NAMES_SYSCALL, "sched_setafinity", "sched_setaffinity"},
            {LAZ_NAMES_SYSCALL, "OPENAT2", "openat2"},
            {LAZ_NAMES_SYSCALL, "sendfile64", "sendfile"},
            {LAZ_NAMES_SYSCALL, "qwertyuiop", NULL},
            {LAZ_NAMES_SYSCALL, "x", NULL},
            {LAZ_NAMES_SYSCALL, "", NULL},
            {LAZ_NAMES_GROUP, "web_service", "web-service"},
            {LAZ_NAMES_GROUP, "@web-service", "web-service"},
            {LAZ_NAMES_GROUP, "swop", NULL}, /* swap is never granted */
            {LAZ_NAMES_CAPABILITY, "NET_BIND_SERVISE", "NET_BIND_SERVICE"},
            {LAZ_NAMES_CAPABILITY, "CAP_NET_BIND", NULL},
            {LAZ_NAMES_CAPABILITY, "cap_chown", "CAP_CHOWN"},
            {LAZ_NAMES_ERRNO, "eperm", "EPERM"},
            {LAZ_NAMES_ERRNO, "ENOSY", "ENOSYS"},
            {LAZ_NAMES_SIGNAL, "SIGTREM", "SIGTERM"},
            {LAZ_NAMES_SIGNAL, "TREM", "TERM"},
            {LAZ_NAMES_RLIMIT, "open_files", "open-files"},
            {LAZ_NAMES_SOCKET_FAMILY, "inte6", "inet6"},
            {LAZ_NAMES_SOCKET_FAMILY, "netlink_route", "netlink-route"},
    };
    for (size_t i = 0; i < LENGTH(rows); i++) {
        expect_suggestion(rows[i].word,
                laz_suggest_name(rows[i].table, rows[i].word, strlen(rows[i].word)),
                rows[i].wanted);
    }
}

Test(policy_names, suggests_within_the_argument)
{
    const struct laz_syscall *ioctl_call = laz_syscall_by_name("ioctl", 5);
    expect_suggestion("TIOCST", laz_suggest_constant(ioctl_call, 1, "TIOCST", 6), "TIOCSTI");
    expect_suggestion("AF_INTE", laz_suggest_constant(ioctl_call, 1, "AF_INTE", 7), NULL);
    expect_suggestion("AF_INTE",
            laz_suggest_constant(laz_syscall_by_name("socket", 6), 0, "AF_INTE", 7), "AF_INET");
    expect_suggestion("AF_INTE", laz_suggest_constant(NULL, 0, "AF_INTE", 7), "AF_INET");
    expect_suggestion("AF_INTE",
            laz_suggest_constant(laz_syscall_by_name("close", 5), 0, "AF_INTE", 7), "AF_INET");
}

/* "nofile" is nearer to "nice" than to "open-files", and "ipv4" to "ipx". */
Test(policy_names, suggests_for_what_others_call_it)
{
    static const struct {
        enum laz_names table;
        const char *word;
        const char *expected;
    } rows[] = {
            {LAZ_NAMES_RLIMIT, "nofile", "open-files"},
            {LAZ_NAMES_RLIMIT, "NPROC", "processes"},
            {LAZ_NAMES_RLIMIT, "as", "address-space"},
            {LAZ_NAMES_RLIMIT, "open_files", "open-files"},
            {LAZ_NAMES_SOCKET_FAMILY, "ipv4", "inet"},
            {LAZ_NAMES_SOCKET_FAMILY, "tcp", "inet"},
            {LAZ_NAMES_SOCKET_FAMILY, "IPv6", "inet6"},
            {LAZ_NAMES_SOCKET_FAMILY, "inet4", "inet"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        expect_suggestion(rows[i].word,
                laz_suggest_name(rows[i].table, rows[i].word, strlen(rows[i].word)),
                rows[i].expected);
    }
}

static const char *word_at(const void *context, size_t i)
{
    const char *const *words = context;
    return words[i];
}

Test(policy_names, suggestion_has_a_limit)
{
    char longest[LAZ_NAME_LENGTH_MAX + 3];
    memset(longest, 'a', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    const char *words[] = {"", longest, longest + 2, "abcdefgh", "abcdefxy", NULL};
    expect_suggestion(
            "64 letters", laz_suggest(longest, LAZ_NAME_LENGTH_MAX, word_at, words), longest + 2);
    expect_suggestion(
            "65 letters", laz_suggest(longest, LAZ_NAME_LENGTH_MAX + 1, word_at, words), NULL);
    expect_suggestion("3 wrong", laz_suggest("abcde123", 8, word_at, words), "abcdefgh");
    expect_suggestion("4 wrong", laz_suggest("abcd1234", 8, word_at, words), NULL);
    expect_suggestion("half wrong", laz_suggest("abxx", 4, word_at, &words[5]), NULL);
    const char *pair[] = {"ab", NULL};
    expect_suggestion("1 of 2", laz_suggest("ax", 2, word_at, pair), "ab");
    expect_suggestion("2 of 3", laz_suggest("xxb", 3, word_at, pair), NULL);
}
