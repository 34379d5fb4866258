/*
 * Brokers of the mock cluster that go and come back (mock.h).
 *
 * librdkafka's own commands for this assert that the broker's port can be bound and listened on again. It can't be while
 * a script has put a server of its own on the port of a broker that is down, while a forked process still has the
 * broker's socket, or when no file can be opened; the assertion would end the process.
 */

#include "mock.h"
#include "../descriptors.h"
#include <errno.h>
#include <fcntl.h>

typedef struct change_s {
        cluster_t *cluster;
        int32_t id;
        int up;
        /* What came of it: 0, -1 for an unknown broker, or a number of errno. */
        int result;
} change_t;

/* The entry of the cluster's poll that is for a broker's listening socket. While the broker is down its socket there is
 * -1, which poll() passes over. */
static struct pollfd *entry(cluster_t *c, const rd_kafka_mock_broker_t *b) {
        int i;
        for (i = 0; i < c->fd_cnt; i++)
                if (c->handlers[i].opaque == b)
                        return &c->fds[i];
        return NULL;
}

/* As librdkafka does when a connection's peer hangs up. */
static void hang_up(conn_t *conn) {
        cluster_t *c = conn->broker->cluster;
        rd_kafka_buf_t *buf;
        int i;

        rd_kafka_mock_cgrps_connection_closed(c, conn);
        rd_kafka_timer_stop(&c->timers, &conn->write_tmr, rd_true);
        while ((buf = TAILQ_FIRST(&conn->outbufs.rkbq_bufs))) {
                rd_kafka_bufq_deq(&conn->outbufs, buf);
                rd_kafka_buf_destroy(buf);
        }
        if (conn->rxbuf)
                rd_kafka_buf_destroy(conn->rxbuf);
        for (i = 0; i < c->fd_cnt; i++) {
                if (c->handlers[i].opaque != conn)
                        continue;
                c->fd_cnt--;
                memmove(&c->fds[i], &c->fds[i + 1], sizeof(*c->fds) * (c->fd_cnt - i));
                memmove(&c->handlers[i], &c->handlers[i + 1], sizeof(*c->handlers) * (c->fd_cnt - i));
                break;
        }
        TAILQ_REMOVE(&conn->broker->connections, conn, link);
        rd_kafka_transport_close(conn->transport);
        rd_free(conn);
}

/* A socket that is bound to the broker's address; -1 with errno set if there is none. */
static int bound_socket(const rd_kafka_mock_broker_t *b) {
        int on = 1, error, fd = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);

        kafka_note_descriptor(fd);
        if (fd == -1)
                return -1;
        if (fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
            bind(fd, (const struct sockaddr *)&b->sin, sizeof(b->sin)) == 0)
                return fd;
        error = errno;
        close(fd);
        errno = error;
        return -1;
}

static void go_down(cluster_t *c, rd_kafka_mock_broker_t *b) {
        struct pollfd *polled = entry(c, b);
        if (polled) {
                polled->fd      = -1;
                polled->revents = 0;
        }
        /* A forked process may have the socket, too: without this, connections would still be made. */
        shutdown(b->listen_s, SHUT_RDWR);
        close(b->listen_s);
        /* Keeps the port, if that is possible. */
        b->listen_s = bound_socket(b);
        b->up       = rd_false;
        while (!TAILQ_EMPTY(&b->connections))
                hang_up(TAILQ_FIRST(&b->connections));
}

static int come_up(cluster_t *c, rd_kafka_mock_broker_t *b) {
        struct pollfd *polled = entry(c, b);
        if (!polled)
                return EBADF;
        if (b->listen_s == -1 && (b->listen_s = bound_socket(b)) == -1)
                return errno;
        if (listen(b->listen_s, 5) == -1)
                return errno;
        polled->fd     = b->listen_s;
        polled->events = POLLIN;
        b->up          = rd_true;
        return 0;
}

/* While the controller is away a broker that is there is named in its stead, as Kafka's brokers do. */
static void name_controller(cluster_t *c) {
        const rd_kafka_mock_broker_t *b, *first = NULL;

        TAILQ_FOREACH(b, &c->brokers, link) {
                if (b->up && b->id == c->controller_id)
                        return;
                if (b->up && !first)
                        first = b;
        }
        if (first)
                c->controller_id = first->id;
}

/* On the cluster's thread. */
static rd_kafka_op_res_t
serve(rd_kafka_t *rk, rd_kafka_q_t *q, rd_kafka_op_t *op, rd_kafka_q_cb_type_t type, void *opaque) {
        change_t *change = opaque;
        cluster_t *c     = change->cluster;
        rd_kafka_mock_broker_t *b;

        change->result = -1;
        TAILQ_FOREACH(b, &c->brokers, link) {
                if (b->id != change->id)
                        continue;
                change->result = 0;
                if (b->up && !change->up)
                        go_down(c, b);
                else if (!b->up && change->up)
                        change->result = come_up(c, b);
        }
        name_controller(c);
        rd_kafka_op_reply(op, RD_KAFKA_RESP_ERR_NO_ERROR);
        return RD_KAFKA_OP_RES_HANDLED;
}

/* Takes a broker away or brings it back, from any thread but the cluster's; 0, -1 for an unknown broker, or what errno
 * said. */
int mock_broker_change(cluster_t *c, int32_t id, int up) {
        change_t change      = {.cluster = c, .id = id, .up = up};
        rd_kafka_op_t *op    = rd_kafka_op_new(RD_KAFKA_OP_MOCK);
        op->rko_serve        = serve;
        op->rko_serve_opaque = &change;
        rd_kafka_op_err_destroy(rd_kafka_op_req(c->ops, op, RD_POLL_INFINITE));
        return change.result;
}
