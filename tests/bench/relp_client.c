/* SPDX-License-Identifier: Apache-2.0
 *
 * librelp's own client, as the peer of the bench "relp": sends the lines of stdin, which are syslog
 * messages already, over mutual TLS with the same window, and ends when all are acknowledged.
 *
 * relp_client PORT WINDOW CA CERT KEY PEER
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* It needs what is above. */
#include <librelp.h>

static void require(relpRetVal result, const char *what)
{
    if (result != RELP_RET_OK) {
        fprintf(stderr, "relp_client: %s: %d\n", what, result);
        exit(1);
    }
}

/* librelp calls these without asking whether they are there. */
static void on_error(void *user, char *object, char *message, relpRetVal code)
{
    (void)user;
    fprintf(stderr, "relp_client: %s: %s (%d)\n", object, message, code);
}

static void on_generic_error(char *object, char *message, relpRetVal code)
{
    on_error(NULL, object, message, code);
}

static void on_authentication_error(void *user, char *peer, char *message, relpRetVal code)
{
    on_error(user, peer, message, code);
}

static void print_nothing(char *format, ...)
{
    (void)format;
}

int main(int argc, char **argv)
{
    static char syslog[] = "syslog";
    static char name[] = "name";
    static char host[] = "127.0.0.1";
    relpEngine_t *engine = NULL;
    relpClt_t *client = NULL;
    char *line = NULL;
    size_t size = 0;
    if (argc != 7) {
        return 2;
    }
    require(relpEngineConstruct(&engine), "engine");
    require(relpEngineSetDbgprint(engine, print_nothing), "debug");
    require(relpEngineSetOnErr(engine, on_error), "errors");
    require(relpEngineSetOnGenericErr(engine, on_generic_error), "errors");
    require(relpEngineSetOnAuthErr(engine, on_authentication_error), "errors");
    require(relpEngineSetTLSLib(engine, RELP_USE_OPENSSL), "OpenSSL");
    require(relpEngineSetEnableCmd(engine, (unsigned char *)syslog, eRelpCmdState_Required),
            "syslog");
    require(relpEngineCltConstruct(engine, &client), "client");
    require(relpCltSetWindowSize(client, (int)strtol(argv[2], NULL, 10)), "window");
    require(relpCltEnableTLS(client), "TLS");
    require(relpCltSetCACert(client, argv[3]), "CA");
    require(relpCltSetOwnCert(client, argv[4]), "certificate");
    require(relpCltSetPrivKey(client, argv[5]), "key");
    require(relpCltSetAuthMode(client, name), "mode");
    require(relpCltAddPermittedPeer(client, argv[6]), "peer");
    require(relpCltConnect(client, AF_INET, (unsigned char *)argv[1], (unsigned char *)host),
            "connection");
    for (ssize_t n = 0; (n = getline(&line, &size, stdin)) > 0;) {
        require(relpCltSendSyslog(client, (unsigned char *)line, (size_t)n - 1), "record");
    }
    require(relpEngineCltDestruct(engine, &client), "end");
    free(line);
    return 0;
}
