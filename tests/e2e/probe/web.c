/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A web service of the least kind: answers every connection to port 8080 with "ok", one after the
 * other, and ends with 0 at SIGTERM. A workload of examples, in images that have nothing else.
 *
 * Lines: "listening", "stopped".
 */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define PORT 8080

static volatile sig_atomic_t is_over;

static void end(int number)
{
    (void)number;
    is_over = 1;
}

static void answer(int client)
{
    static const char text[] =
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";
    char request[4096];
    struct timeval limit = {.tv_sec = 1};
    (void)setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    if (read(client, request, sizeof(request)) > 0) {
        (void)!write(client, text, sizeof(text) - 1);
    }
    close(client);
}

int main(void)
{
    /* Without SA_RESTART: accept ends. */
    const struct sigaction action = {.sa_handler = end};
    const struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    const int on = 1;
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (sigaction(SIGTERM, &action, NULL) < 0 || server < 0 ||
            setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
            bind(server, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
            listen(server, 64) < 0) {
        perror("web");
        return 1;
    }
    puts("listening");
    fflush(stdout);
    while (!is_over) {
        int client = accept4(server, NULL, NULL, SOCK_CLOEXEC);
        if (client >= 0) {
            answer(client);
        }
    }
    puts("stopped");
    return 0;
}
