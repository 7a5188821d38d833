/* SPDX-License-Identifier: Apache-2.0
 *
 * lazaret top: the state of this container, on a terminal again and again, elsewhere once. Leaves
 * the terminal as it was, however it ends.
 */
#include "cli/top.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/output.h"
#include "core/fd.h"

#define EVERY_MS   2000
#define PAGE_MAX   65536U
#define ROWS_LEAST 4U
#define ENTER      "\033[?1049h\033[?25l" /* the other screen, no cursor */
#define LEAVE      "\033[?25h\033[?1049l"
#define HOME       "\033[H"
#define REST       "\033[K\r\n" /* nothing of what was there before */
#define BELOW      "\033[J"
#define BOLD       "\033[1m"
#define ALARM      "\033[1;31m"
#define PLAIN      "\033[0m"

/* ---- once ---- */

static int once(bool json)
{
    struct laz_err err = {0};
    bool is_ready = false;
    laz_cleanup_buf struct laz_buf document;
    laz_cleanup_buf struct laz_buf page;
    laz_buf_init_heap(&document, LAZ_TOP_DOCUMENT_MAX);
    laz_buf_init_heap(&page, LAZ_TOP_DOCUMENT_MAX + PAGE_MAX);
    if (laz_top_ask(&document, &err) < 0 ||
            laz_top_show(document.data, document.len, &page, &is_ready, &err) < 0) {
        return laz_cli_fail(&err, json);
    }
    if (json) {
        page.len = 0;
        laz_buf_printf(&page, "{\"ok\":%s,\"health\":", is_ready ? "true" : "false");
        laz_buf_put(&page, document.data, document.len);
        while (page.len > 0 && page.data[page.len - 1] == '\n') {
            page.len--;
        }
        laz_buf_str(&page, "}\n");
    }
    return laz_cli_print(&page, is_ready ? LAZ_EXIT_FINE : LAZ_EXIT_FINDINGS);
}

/* ---- on a terminal ---- */

/* As many lines as fit, each as wide as the window; the first one says how it is. */
static void put_screen(const struct laz_buf *page, bool is_ready, struct laz_buf *screen)
{
    struct winsize size = {.ws_row = 24, .ws_col = 80};
    laz_ignore(ioctl(STDOUT_FILENO, TIOCGWINSZ, &size));
    unsigned rows = size.ws_row < ROWS_LEAST ? ROWS_LEAST : size.ws_row;
    unsigned columns = size.ws_col == 0 ? 80U : size.ws_col;
    const char *at = page->data;
    laz_buf_str(screen, HOME);
    for (unsigned row = 0; row + 1 < rows && *at != '\0'; row++) {
        size_t length = strcspn(at, "\n");
        laz_buf_str(screen, row > 0 ? "" : is_ready ? BOLD : ALARM);
        laz_buf_put(screen, at, length < columns ? length : columns);
        laz_buf_str(screen, row > 0 ? REST : PLAIN REST);
        at += length + (at[length] == '\n');
    }
    laz_buf_str(
            screen, *at == '\0' ? "q: leave" BELOW : "q: leave; a higher window has more" BELOW);
}

static void draw(void)
{
    struct laz_err err = {0};
    bool is_ready = false;
    laz_cleanup_buf struct laz_buf document;
    laz_cleanup_buf struct laz_buf page;
    laz_cleanup_buf struct laz_buf screen;
    laz_buf_init_heap(&document, LAZ_TOP_DOCUMENT_MAX);
    laz_buf_init_heap(&page, PAGE_MAX);
    laz_buf_init_heap(&screen, 2 * (size_t)PAGE_MAX);
    if (laz_top_ask(&document, &err) < 0 ||
            laz_top_show(document.data, document.len, &page, &is_ready, &err) < 0) {
        page.len = 0;
        laz_buf_printf(&page, "NO ANSWER  %s\n", err.message);
    }
    put_screen(&page, is_ready, &screen);
    laz_ignore(laz_fd_write_all(STDOUT_FILENO, screen.data, screen.len, &err));
}

/* False: it is to end. A signal, the end of input, q. */
static bool wait_for_turn(int signals)
{
    struct pollfd world[] = {
            {.fd = STDIN_FILENO, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
    char key = 0;
    int n = poll(world, 2, EVERY_MS);
    if (n < 0) {
        return errno == EINTR;
    }
    if (world[1].revents != 0) {
        struct signalfd_siginfo info;
        return read(signals, &info, sizeof(info)) == (ssize_t)sizeof(info) &&
                info.ssi_signo == SIGWINCH;
    }
    if (world[0].revents == 0) {
        return true;
    }
    return read(STDIN_FILENO, &key, 1) == 1 && key != 'q' && key != 'Q';
}

static int again_and_again(void)
{
    struct laz_err err = {0};
    struct termios before;
    sigset_t set;
    sigemptyset(&set);
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        sigaddset(&set, numbers[i]);
    }
    if (tcgetattr(STDIN_FILENO, &before) < 0 || sigprocmask(SIG_BLOCK, &set, NULL) < 0) {
        return once(false);
    }
    laz_cleanup_fd int signals = signalfd(-1, &set, SFD_CLOEXEC);
    struct termios raw = before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    if (signals < 0 || tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw) < 0) {
        return once(false);
    }
    laz_ignore(laz_fd_write_all(STDOUT_FILENO, ENTER, sizeof(ENTER) - 1, &err));
    do {
        draw();
    } while (wait_for_turn(signals));
    laz_ignore(laz_fd_write_all(STDOUT_FILENO, LEAVE, sizeof(LEAVE) - 1, &err));
    laz_ignore(tcsetattr(STDIN_FILENO, TCSAFLUSH, &before));
    return LAZ_EXIT_FINE;
}

int laz_cli_top(const struct laz_cli_arguments *arguments)
{
    if (arguments->json || isatty(STDIN_FILENO) == 0 || isatty(STDOUT_FILENO) == 0) {
        return once(arguments->json);
    }
    return again_and_again();
}
