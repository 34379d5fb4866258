/*
 * The mock cluster: its table of handlers, requests and answers, brokers (mock.h).
 */

#include "mock.h"

/* ---------------------------------------------------------------- the table of handlers */

/* Each cluster has a copy of the table, which its thread reads at each request. The caller does this before anybody
 * can know the cluster's ports. */
void mock_set_handler(cluster_t *c, int16_t api, int16_t min, int16_t max, int16_t flexible,
                      int (*handler)(conn_t *, rd_kafka_buf_t *)) {
        if (api < 0 || api >= RD_KAFKAP__NUM)
                return;
        c->api_handlers[api].MinVersion  = min;
        c->api_handlers[api].MaxVersion  = max;
        c->api_handlers[api].FlexVersion = flexible;
        c->api_handlers[api].cb          = handler;
}

/* librdkafka leaves the controller's id at 0, and no broker has that id. */
void mock_set_controller(cluster_t *c, int32_t id) {
        c->controller_id = id;
}

/* From any thread. rdkafka-sys does not declare this public function. */
int mock_withhold(cluster_t *c, int16_t api) {
        return rd_kafka_mock_set_apiversion(c, api, -1, -1);
}

/* What librdkafka's own handler does. */
int mock_original(conn_t *conn, rd_kafka_buf_t *request) {
        int16_t api = request->rkbuf_reqhdr.ApiKey;
        return rd_kafka_mock_api_handlers[api].cb ? rd_kafka_mock_api_handlers[api].cb(conn, request) : -1;
}

/* The same as if the request had this version. */
int mock_original_as(conn_t *conn, rd_kafka_buf_t *request, int16_t version) {
        request->rkbuf_reqhdr.ApiVersion = version;
        return mock_original(conn, request);
}

/* The same with another body. */
int mock_original_with(conn_t *conn, const rd_kafka_buf_t *request, const void *body, size_t length) {
        rd_kafka_buf_t *other = rd_kafka_buf_new_shadow(body, length, NULL);
        int result;
        other->rkbuf_reqhdr = request->rkbuf_reqhdr;
        other->rkbuf_flags |= request->rkbuf_flags & RD_KAFKA_OP_F_FLEXVER;
        /* For log lines about what can't be read; the buffer drops it when it goes. */
        other->rkbuf_rkb = request->rkbuf_rkb;
        rd_kafka_broker_keep(other->rkbuf_rkb);
        result = mock_original(conn, other);
        rd_kafka_buf_destroy(other);
        return result;
}

/* ---------------------------------------------------------------- requests and answers */

int16_t mock_api(const rd_kafka_buf_t *request) {
        return request->rkbuf_reqhdr.ApiKey;
}

int16_t mock_version(const rd_kafka_buf_t *request) {
        return request->rkbuf_reqhdr.ApiVersion;
}

int mock_flexible(const rd_kafka_buf_t *request) {
        return !!(request->rkbuf_flags & RD_KAFKA_OP_F_FLEXVER);
}

/* How many bytes follow the request's header. */
size_t mock_body_length(const rd_kafka_buf_t *request) {
        return rd_slice_remains(&request->rkbuf_reader);
}

/* Where they are, if they are in one piece, else NULL; librdkafka's handler can still read them. */
const void *mock_body(const rd_kafka_buf_t *request) {
        rd_slice_t slice = request->rkbuf_reader;
        return rd_slice_remains(&slice) ? rd_slice_ensure_contig(&slice, rd_slice_remains(&slice)) : NULL;
}

/* Copies them. */
size_t mock_body_copy(const rd_kafka_buf_t *request, void *to, size_t size) {
        rd_slice_t slice = request->rkbuf_reader;
        return rd_slice_read(&slice, to, size);
}

/* The client id of the header, which librdkafka has skipped; its length, or -1 for none. */
int mock_client_id(const rd_kafka_buf_t *request, char *to, size_t size) {
        rd_slice_t slice;
        unsigned char length[2];
        int n;
        if (rd_slice_init(&slice, &request->rkbuf_buf, RD_KAFKAP_REQHDR_SIZE,
                          rd_buf_len(&request->rkbuf_buf) - RD_KAFKAP_REQHDR_SIZE) == -1 ||
            rd_slice_read(&slice, length, 2) != 2)
                return -1;
        n = (int16_t)(length[0] << 8 | length[1]);
        if (n < 0 || (size_t)n > size || rd_slice_read(&slice, to, n) != (size_t)n)
                return -1;
        return n;
}

/* An answer to be filled, and the error that a test has asked for (rd_kafka_mock_push_request_errors). */
rd_kafka_buf_t *mock_response(conn_t *conn, const rd_kafka_buf_t *request, int16_t *error) {
        rd_kafka_buf_t *response = rd_kafka_mock_buf_new_response(request);
        *error                   = (int16_t)rd_kafka_mock_next_request_error(conn, response);
        return response;
}

/* Sends the answer, tags included, and takes it. */
void mock_send(conn_t *conn, rd_kafka_buf_t *response, const void *body, size_t length) {
        rd_kafka_buf_write(response, body, length);
        rd_kafka_mock_connection_send_response0(conn, response, rd_true);
}

void mock_discard(rd_kafka_buf_t *response) {
        rd_kafka_buf_destroy(response);
}

/* The client's address, as four numbers. */
void mock_peer(const conn_t *conn, unsigned char address[4]) {
        memcpy(address, &conn->peer.sin_addr, 4);
}

/* Whether librdkafka can use this regular expression; if not it would end the process when it looks for topics. */
int mock_regex_valid(const char *pattern) {
        char text[128];
        rd_regex_t *regex = rd_regex_comp(pattern, text, sizeof(text));
        if (!regex)
                return 0;
        rd_regex_destroy(regex);
        return 1;
}

/* ---------------------------------------------------------------- the cluster and its brokers */

cluster_t *mock_cluster(const conn_t *conn) {
        return conn->broker->cluster;
}

int32_t mock_broker(const conn_t *conn) {
        return conn->broker->id;
}

const char *mock_cluster_id(const cluster_t *c) {
        return c->id;
}

int32_t mock_controller(const cluster_t *c) {
        return c->controller_id;
}

int mock_default_partitions(const cluster_t *c) {
        return c->defaults.partition_cnt;
}

int mock_default_replication(const cluster_t *c) {
        return c->defaults.replication_factor;
}

int mock_broker_count(const cluster_t *c) {
        return c->broker_cnt;
}

/* The broker at this place of the list; its host has room for 128 bytes. */
int mock_broker_at(const cluster_t *c, int index, int32_t *id, char *host, int32_t *port, int *up) {
        const rd_kafka_mock_broker_t *b;
        TAILQ_FOREACH(b, &c->brokers, link) {
                if (index-- > 0)
                        continue;
                *id   = b->id;
                *port = b->port;
                *up   = b->up;
                memcpy(host, b->advertised_listener, sizeof(b->advertised_listener));
                return 1;
        }
        return 0;
}

/* The broker that coordinates a group, or -1. */
int32_t mock_coordinator(cluster_t *c, const char *group, int length) {
        rd_kafkap_str_t key             = kstr(group, length);
        const rd_kafka_mock_broker_t *b = rd_kafka_mock_cluster_get_coord(c, RD_KAFKA_COORD_GROUP, &key);
        return b ? b->id : -1;
}
