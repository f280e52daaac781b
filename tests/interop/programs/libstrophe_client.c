/* A chat client made with libstrophe; see README.md for what it reports and obeys.
 *
 * Usage: libstrophe_client JID PASSWORD starttls|direct-tls; SSL_CERT_FILE names the authority
 * to trust. */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <strophe.h>

#define ROSTER "jabber:iq:roster"

typedef struct {
    xmpp_ctx_t *context;
    const char *jid, *password, *trust;
    int direct_tls;
    /* The address that the last session was bound to. */
    char *bound;
    xmpp_sm_state_t *state;
    int ending, failed;
} program_t;

/* report("event", "key", "value", ..., NULL) */
static void report(const char *event, ...) {
    va_list fields;
    const char *key;
    printf("{\"event\": \"%s\"", event);
    va_start(fields, event);
    while ((key = va_arg(fields, const char *)) != NULL) {
        const char *value = va_arg(fields, const char *);
        printf(", \"%s\": \"", key);
        for (; value && *value; ++value) {
            if (*value == '"' || *value == '\\') putchar('\\');
            if ((unsigned char)*value >= ' ') putchar(*value);
        }
        putchar('"');
    }
    va_end(fields);
    puts("}");
    fflush(stdout);
}

static void send_and_release(xmpp_conn_t *connection, xmpp_stanza_t *stanza) {
    xmpp_send(connection, stanza);
    xmpp_stanza_release(stanza);
}

static void send_presence(program_t *program, xmpp_conn_t *connection, const char *type,
                          const char *to) {
    xmpp_stanza_t *presence = xmpp_presence_new(program->context);
    if (type) xmpp_stanza_set_type(presence, type);
    if (to) xmpp_stanza_set_to(presence, to);
    send_and_release(connection, presence);
}

static int on_presence(xmpp_conn_t *connection, xmpp_stanza_t *stanza, void *data) {
    const char *type = xmpp_stanza_get_type(stanza), *from = xmpp_stanza_get_from(stanza);
    xmpp_stanza_t *status = xmpp_stanza_get_child_by_name(stanza, "status");
    char *text = status ? xmpp_stanza_get_text(status) : NULL;
    report("presence", "from", from, "type", type ? type : "available", "status", text, NULL);
    if (text) xmpp_free(((program_t *)data)->context, text);
    if (type && strcmp(type, "subscribe") == 0) {
        send_presence(data, connection, "subscribed", from);
        send_presence(data, connection, "subscribe", from);
    }
    return 1;
}

static int on_message(xmpp_conn_t *connection, xmpp_stanza_t *stanza, void *data) {
    program_t *program = data;
    const char *from = xmpp_stanza_get_from(stanza);
    char *body = xmpp_message_get_body(stanza);
    if (!body) return 1;
    report("message", "from", from, "body", body, NULL);
    if (strcmp(body, "end") == 0) {
        program->ending = 1;
        xmpp_disconnect(connection);
    } else {
        char *text = malloc(strlen(body) + sizeof "echo: ");
        xmpp_stanza_t *answer = xmpp_message_new(program->context, "chat", from, NULL);
        sprintf(text, "echo: %s", body);
        xmpp_message_set_body(answer, text);
        free(text);
        send_and_release(connection, answer);
    }
    xmpp_free(program->context, body);
    return 1;
}

static xmpp_stanza_t *items_of(xmpp_stanza_t *iq) {
    xmpp_stanza_t *query = xmpp_stanza_get_child_by_ns(iq, ROSTER);
    return query ? xmpp_stanza_get_children(query) : NULL;
}

static int on_roster_push(xmpp_conn_t *connection, xmpp_stanza_t *stanza, void *data) {
    xmpp_stanza_t *item;
    const char *type = xmpp_stanza_get_type(stanza);
    if (!type || strcmp(type, "set") != 0) return 1;
    for (item = items_of(stanza); item; item = xmpp_stanza_get_next(item))
        report("contact", "jid", xmpp_stanza_get_attribute(item, "jid"), "subscription",
               xmpp_stanza_get_attribute(item, "subscription"), NULL);
    send_and_release(connection, xmpp_iq_new(((program_t *)data)->context, "result",
                                             xmpp_stanza_get_id(stanza)));
    return 1;
}

static int on_roster(xmpp_conn_t *connection, xmpp_stanza_t *stanza, void *data) {
    xmpp_stanza_t *item;
    printf("{\"event\": \"online\", \"jid\": \"%s\", \"contacts\": [",
           xmpp_conn_get_bound_jid(connection));
    for (item = items_of(stanza); item; item = xmpp_stanza_get_next(item))
        printf("%s\"%s\"", item == items_of(stanza) ? "" : ", ",
               xmpp_stanza_get_attribute(item, "jid"));
    puts("]}");
    fflush(stdout);
    send_presence(data, connection, NULL, NULL);
    return 0;
}

static void ask_for_roster(program_t *program, xmpp_conn_t *connection) {
    xmpp_stanza_t *iq = xmpp_iq_new(program->context, "get", "roster"),
                  *query = xmpp_stanza_new(program->context);
    xmpp_stanza_set_name(query, "query");
    xmpp_stanza_set_ns(query, ROSTER);
    xmpp_stanza_add_child(iq, query);
    xmpp_stanza_release(query);
    xmpp_id_handler_add(connection, on_roster, "roster", program);
    send_and_release(connection, iq);
}

static void on_event(xmpp_conn_t *connection, xmpp_conn_event_t event, int error,
                     xmpp_stream_error_t *stream_error, void *data) {
    program_t *program = data;
    if (event == XMPP_CONN_CONNECT) {
        const char *bound = xmpp_conn_get_bound_jid(connection);
        xmpp_handler_add(connection, on_presence, NULL, "presence", NULL, program);
        xmpp_handler_add(connection, on_message, NULL, "message", NULL, program);
        xmpp_handler_add(connection, on_roster_push, ROSTER, "iq", "set", program);
        /* The server makes up a resource for each session: the same one is the same session. */
        if (program->bound && strcmp(program->bound, bound) == 0) {
            report("resumed", NULL);
            return;
        }
        free(program->bound);
        program->bound = strdup(bound);
        ask_for_roster(program, connection);
        return;
    }
    if (program->ending) {
        report("stopped", NULL);
    } else if (program->bound) {
        report("disconnect", NULL);
    } else {
        char text[200];
        snprintf(text, sizeof text, "no session: error %d %s", error,
                 stream_error && stream_error->text ? stream_error->text : "");
        report("failed", "text", text, NULL);
        program->failed = 1;
    }
    xmpp_stop(program->context);
}

/* One connection, until it ends. */
static void run(program_t *program) {
    xmpp_conn_t *connection = xmpp_conn_new(program->context);
    xmpp_conn_set_flags(connection, program->direct_tls ? XMPP_CONN_FLAG_LEGACY_SSL
                                                        : XMPP_CONN_FLAG_MANDATORY_TLS);
    xmpp_conn_set_cafile(connection, program->trust);
    xmpp_conn_set_jid(connection, program->jid);
    xmpp_conn_set_pass(connection, program->password);
    if (program->state) xmpp_conn_set_sm_state(connection, program->state);
    program->state = NULL;
    /* STARTTLS by SRV records; it knows none of direct TLS. */
    const char *host = program->direct_tls ? strchr(program->jid, '@') + 1 : NULL;
    if (xmpp_connect_client(connection, host, program->direct_tls ? 5223 : 0, on_event,
                            program) == XMPP_EOK) {
        xmpp_run(program->context);
    } else {
        report("failed", "text", "cannot connect", NULL);
        program->failed = 1;
    }
    /* NULL where there is nothing to resume. */
    program->state = xmpp_conn_get_sm_state(connection);
    xmpp_conn_release(connection);
}

int main(int count, char **arguments) {
    program_t program = {0};
    if (count != 4) return 2;
    program.jid = arguments[1];
    program.password = arguments[2];
    program.direct_tls = strcmp(arguments[3], "direct-tls") == 0;
    program.trust = getenv("SSL_CERT_FILE");
    xmpp_initialize();
    /* All that it logs goes to stderr, which a failure's report quotes. */
    program.context = xmpp_ctx_new(NULL, xmpp_get_default_logger(XMPP_LEVEL_DEBUG));
    while (!program.ending && !program.failed) run(&program);
    if (program.state) xmpp_free_sm_state(program.state);
    xmpp_ctx_free(program.context);
    xmpp_shutdown();
    free(program.bound);
    return program.failed;
}
