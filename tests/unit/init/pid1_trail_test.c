/* SPDX-License-Identifier: Apache-2.0
 *
 * The stream of PID 1's events, where it does not take what is written: every line is a whole
 * record, or what is left of one, and what is lost is counted.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "init/pid1/trail.h"

static struct laz_trail trail = {.ctr = "unit"};
static struct laz_err err;
static char lines[8][LAZ_RECORD_MAX];
static char path[] = "/tmp/lazaret-trail-XXXXXX";

static void open_file(void)
{
    bool is_shared = false;
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    (void)close(fd);
    cr_assert_eq(laz_trail_open(path, &trail, &is_shared, &err), 0, "%s", err.message);
    cr_assert_not(is_shared);
}

static void close_file(void)
{
    (void)unlink(path);
}

static void write_one(int number)
{
    const struct laz_signal_note note = {
            .ev = "signal.drop", .act = "dropped", .severity = 1, .number = number};
    laz_trail_signal(&trail, &note);
}

/* How much more the file takes. */
static void set_room(off_t bytes)
{
    struct rlimit limit = {.rlim_max = RLIM_INFINITY};
    limit.rlim_cur = bytes < 0 ? RLIM_INFINITY : (rlim_t)(lseek(trail.fd, 0, SEEK_END) + bytes);
    const struct sigaction ignored = {.sa_handler = SIG_IGN};
    cr_assert_eq(sigaction(SIGXFSZ, &ignored, NULL), 0);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* The file's lines, without their ends. */
static size_t read_lines(void)
{
    size_t n = 0;
    FILE *file = fopen(path, "re");
    cr_assert_not_null(file);
    while (n < 8 && fgets(lines[n], LAZ_RECORD_MAX, file) != NULL) {
        lines[n][strcspn(lines[n], "\n")] = '\0';
        n++;
    }
    (void)fclose(file);
    return n;
}

static void check_record(const char *line, const char *ev, const char *has)
{
    char begins[64];
    (void)snprintf(begins, sizeof(begins), "{\"lz\":1,\"ev\":\"%s\",", ev);
    cr_assert_eq(strncmp(line, begins, strlen(begins)), 0, "%s", line);
    cr_assert_eq(strcmp(line + strlen(line) - 2, "}}"), 0, "%s", line);
    cr_assert_not_null(strstr(line, has), "%s: %s", has, line);
}

TestSuite(pid1_trail, .init = open_file, .fini = close_file);

Test(pid1_trail, what_a_full_disk_has_taken_of_a_record_destroys_no_other)
{
    write_one(1);
    set_room(100);
    write_one(2); /* a part of it */
    write_one(3); /* nothing */
    set_room(-1);
    write_one(4);
    write_one(5);
    cr_assert_eq(read_lines(), 5);
    check_record(lines[0], "signal.drop", "\"obj\":\"signal 1\"");
    cr_assert_eq(strlen(lines[1]), 100);
    check_record(lines[2], "events.gap", "\"lost\":2,\"lost_ever\":2");
    check_record(lines[3], "signal.drop", "\"obj\":\"signal 4\"");
    check_record(lines[4], "signal.drop", "\"obj\":\"signal 5\"");
    cr_assert_eq(trail.lost, 0);
}

/* The end of the part that is there is taken, and nothing behind it: that is not done twice. */
Test(pid1_trail, a_part_of_a_record_is_ended_once)
{
    set_room(100);
    write_one(1);
    set_room(1);
    write_one(2);
    set_room(-1);
    write_one(3);
    cr_assert_eq(read_lines(), 3);
    cr_assert_eq(strlen(lines[0]), 100);
    check_record(lines[1], "events.gap", "\"lost\":2,");
    check_record(lines[2], "signal.drop", "\"obj\":\"signal 3\"");
}

/* ---- pipes ---- */

static int ends[2]; /* blocking, as those of an engine */

/* --events is that descriptor. */
static void open_number(int fd)
{
    char number[16];
    bool is_shared = true;
    (void)snprintf(number, sizeof(number), "%d", fd);
    (void)close(trail.fd);
    cr_assert_eq(laz_trail_open(number, &trail, &is_shared, &err), 0, "%s", err.message);
    cr_assert_eq(fcntl(trail.fd, F_GETFD), FD_CLOEXEC);
}

static bool never_waits(int fd)
{
    return (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0;
}

Test(pid1_trail, a_pipe_never_holds_it_up_and_is_for_others_what_it_was)
{
    static char taken[1 << 17];
    cr_assert_eq(pipe(ends), 0);
    open_number(ends[1]);
    cr_assert(never_waits(trail.fd));
    cr_assert_not(never_waits(ends[1]));
    while (write(trail.fd, "\n", 1) == 1) { /* as another writer would, between look and write */
    }
    write_one(1);
    cr_assert_eq(trail.lost, 1);
    cr_assert_gt(read(ends[0], taken, sizeof(taken)), 0);
    write_one(2);
    cr_assert_eq(trail.lost, 0);
    ssize_t n = read(ends[0], taken, sizeof(taken) - 1);
    cr_assert_gt(n, 0);
    taken[n] = '\0';
    char *end = strchr(taken, '\n');
    cr_assert_not_null(end);
    *end = '\0';
    check_record(taken, "events.gap", "\"lost\":1,");
    char *next = end + 1;
    next[strcspn(next, "\n")] = '\0';
    check_record(next, "signal.drop", "\"obj\":\"signal 2\"");
}

/* Where it cannot be opened anew it is taken as it is. */
Test(pid1_trail, a_fifo_without_a_reader_and_what_is_no_pipe_are_taken_as_they_are)
{
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(mkfifo(path, 0600), 0);
    ends[0] = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    ends[1] = open(path, O_WRONLY | O_CLOEXEC);
    cr_assert_geq(ends[1], 0);
    int own = laz_trail_own_pipe(ends[1]);
    cr_assert(never_waits(own));
    (void)close(own);
    (void)close(ends[0]);
    cr_assert_eq(laz_trail_own_pipe(ends[1]), -1);
    open_number(ends[1]);
    cr_assert_not(never_waits(trail.fd));
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    open_number(ends[1]);
    cr_assert_not(never_waits(trail.fd));
    cr_assert_not(never_waits(ends[1]));
    cr_assert_eq(laz_trail_own_pipe(-1), -1);
}
