/* SPDX-License-Identifier: Apache-2.0
 *
 * What one file says about tunnels, beyond its types: has each a name of its own, and does the
 * plain side stay on this host?
 */
#include <inttypes.h>
#include <string.h>

#include "policy/address.h"
#include "policy/check.h"

/* Names are what a later file replaces by: within one they are all different. */
static void check_names(struct laz_report *report, struct laz_node *list, enum laz_field_id name)
{
    for (struct laz_node *item = laz_check_item(list, NULL); item != NULL;
            item = laz_check_item(list, item)) {
        struct laz_node *mine = laz_check_child(item, name);
        for (struct laz_node *other = laz_check_item(list, NULL); mine != NULL && other != item;
                other = laz_check_item(list, other)) {
            const struct laz_node *earlier = laz_check_child(other, name);
            if (earlier != NULL && strcmp(earlier->text, mine->text) == 0) {
                struct laz_quoted quoted;
                laz_report_node(report, LAZ_E_POLICY_INVALID, mine,
                        "%s is the name of another one, at line %" PRIu32,
                        laz_quote(&quoted, mine->text, mine->length), earlier->pos.line);
                break;
            }
        }
    }
}

static void check_plain(struct laz_report *report, struct laz_node *node)
{
    struct laz_address address;
    if (node == NULL || !laz_socket_split(node->text, node->length, &address)) {
        return; /* said already */
    }
    if (address.port != 0 && !laz_host_is_loopback(address.host, address.host_length)) {
        laz_report_node(report, LAZ_E_POLICY_INVALID, node,
                "this side is plain text, and must stay on this host: 127.0.0.1, [::1], or a "
                "unix socket");
    }
}

/* The encrypted side is a port, or nobody else could come. */
static void check_port(struct laz_report *report, struct laz_node *node)
{
    struct laz_address address;
    if (node != NULL && laz_socket_split(node->text, node->length, &address) && address.port == 0) {
        laz_report_node(report, LAZ_E_POLICY_INVALID, node,
                "TLS comes in at an address and a port, such as \"0.0.0.0:8443\"");
    }
}

static void check_clients(struct laz_report *report, const struct laz_node *clients)
{
    struct laz_node *allow =
            clients == NULL ? NULL : laz_check_child(clients, LAZ_FIELD_CLIENTS_ALLOW);
    const struct laz_node *require =
            clients == NULL ? NULL : laz_check_child(clients, LAZ_FIELD_CLIENTS_REQUIRE);
    if (allow == NULL) {
        return;
    }
    if (require != NULL && require->number == 0) {
        laz_report_node(report, LAZ_E_POLICY_INVALID, allow,
                "goes with \"require: true\": who shows no certificate has no name");
    }
    if (allow->n_children > LAZ_TUNNEL_ALLOW_MAX) {
        laz_report_node(
                report, LAZ_E_POLICY_TOO_LARGE, allow, "more than %d names", LAZ_TUNNEL_ALLOW_MAX);
    }
}

void laz_check_tunnel(struct laz_document *document, struct laz_report *report)
{
    struct laz_node *connect = document->at[LAZ_FIELD_TLS_CONNECT];
    check_names(report, document->at[LAZ_FIELD_TLS_TRUST], LAZ_FIELD_TRUST_NAME);
    check_names(report, connect, LAZ_FIELD_OUT_NAME);
    for (struct laz_node *item = laz_check_item(connect, NULL); item != NULL;
            item = laz_check_item(connect, item)) {
        check_plain(report, laz_check_child(item, LAZ_FIELD_OUT_BIND));
    }
    struct laz_node *listen = document->at[LAZ_FIELD_TLS_LISTEN];
    check_names(report, listen, LAZ_FIELD_IN_NAME);
    for (struct laz_node *item = laz_check_item(listen, NULL); item != NULL;
            item = laz_check_item(listen, item)) {
        check_port(report, laz_check_child(item, LAZ_FIELD_IN_BIND));
        check_plain(report, laz_check_child(item, LAZ_FIELD_IN_TO));
        check_clients(report, laz_check_child(item, LAZ_FIELD_IN_CLIENTS));
    }
}
