/*
 * Groups of the mock cluster and their members (mock.h).
 */

#include "mock.h"

/* ---------------------------------------------------------------- classic groups */

classic_t *mock_classic_next(const cluster_t *c, const classic_t *before) {
        return before ? TAILQ_NEXT(before, link) : TAILQ_FIRST(&c->cgrps_classic);
}

const char *mock_classic_id(const classic_t *g) {
        return g->id;
}

const char *mock_classic_type(const classic_t *g) {
        return g->protocol_type;
}

/* NULL until a leader was elected. */
int mock_classic_protocol(const classic_t *g, const char **text) {
        if (!g->protocol_name)
                return -1;
        *text = g->protocol_name;
        return (int)strlen(g->protocol_name);
}

/* 0 empty, 1 members are joining, 2 the leader's assignment is awaited, 3 rebalancing, 4 stable. */
int mock_classic_state(const classic_t *g) {
        switch (g->state) {
        case RD_KAFKA_MOCK_CGRP_STATE_EMPTY:
                return 0;
        case RD_KAFKA_MOCK_CGRP_STATE_JOINING:
                return 1;
        case RD_KAFKA_MOCK_CGRP_STATE_SYNCING:
                return 2;
        case RD_KAFKA_MOCK_CGRP_STATE_REBALANCING:
                return 3;
        case RD_KAFKA_MOCK_CGRP_STATE_UP:
                return 4;
        }
        return 0;
}

int32_t mock_classic_generation(const classic_t *g) {
        return g->generation_id;
}

/* How many members the group had when it last elected a leader; 0 if it has had none since it was empty. */
int mock_classic_last_count(const classic_t *g) {
        return g->last_member_cnt;
}

/* The last member has left: the group waits for nobody any more. */
void mock_classic_empty(classic_t *g) {
        rd_kafka_timer_stop(&g->cluster->timers, &g->rebalance_tmr, rd_true);
        g->state = RD_KAFKA_MOCK_CGRP_STATE_EMPTY;
        g->generation_id++;
        g->last_member_cnt = 0;
        g->leader          = NULL;
}

/* Has the wait for members end now: librdkafka elects a leader as soon as this request is done. */
void mock_classic_elect(classic_t *g) {
        if (g->rebalance_tmr.rtmr_callback)
                rd_kafka_timer_start_oneshot(&g->cluster->timers, &g->rebalance_tmr, rd_true, 0,
                                             g->rebalance_tmr.rtmr_callback, g);
}

/* Whether the member waits for the answer to JoinGroup or SyncGroup. */
int mock_cmember_waits(const cmember_t *m) {
        return m->resp && m->conn;
}

/* librdkafka's check for members whose session has expired; there is one for all groups of all clusters. */
static void (*session_check)(rd_kafka_timers_t *, void *);
static void (*session_after)(classic_t *);

/* Whoever waits for the answer to JoinGroup or SyncGroup can't send heartbeats meanwhile, and Kafka lets no session
 * expire then. librdkafka would remove the member and never read from its connection again. */
static void session_hook(rd_kafka_timers_t *timers, void *arg) {
        classic_t *g = arg;
        cmember_t *m;
        TAILQ_FOREACH(m, &g->members, link) {
                if (mock_cmember_waits(m))
                        rd_kafka_mock_cgrp_classic_member_active(g, m);
        }
        __atomic_load_n(&session_check, __ATOMIC_ACQUIRE)(timers, arg);
        __atomic_load_n(&session_after, __ATOMIC_ACQUIRE)(arg);
}

/* Has `after` called after each check of this group, always the same function. */
void mock_classic_watch(classic_t *g, void (*after)(classic_t *)) {
        if (g->session_tmr.rtmr_callback == session_hook)
                return;
        __atomic_store_n(&session_after, after, __ATOMIC_RELEASE);
        __atomic_store_n(&session_check, g->session_tmr.rtmr_callback, __ATOMIC_RELEASE);
        g->session_tmr.rtmr_callback = session_hook;
}

void mock_classic_delete(classic_t *g) {
        rd_kafka_mock_cgrp_classic_destroy(g);
}

cmember_t *mock_cmember_next(const classic_t *g, const cmember_t *before) {
        return before ? TAILQ_NEXT(before, link) : TAILQ_FIRST(&g->members);
}

int mock_cmember_is_leader(const classic_t *g, const cmember_t *m) {
        return g->leader == m;
}

const char *mock_cmember_id(const cmember_t *m) {
        return m->id;
}

void mock_cmember_rename(cmember_t *m, const char *id) {
        rd_free(m->id);
        m->id = rd_strdup(id);
}

/* NULL unless it is a static member. */
const char *mock_cmember_instance(const cmember_t *m) {
        return m->group_instance_id;
}

int mock_cmember_waits_on(const cmember_t *m, const conn_t *conn) {
        return m->resp && m->conn == conn;
}

/* Forgets a request that the member repeats: nobody waits for that answer any more. librdkafka would end the process by
 * an assertion. */
void mock_cmember_forget_wait(cmember_t *m) {
        if (!m->resp)
                return;
        rd_kafka_buf_destroy(m->resp);
        m->resp = NULL;
        if (m->conn)
                rd_kafka_mock_connection_set_blocking(m->conn, rd_false);
        m->conn = NULL;
}

/* It has been heard of. */
void mock_cmember_active(classic_t *g, cmember_t *m) {
        rd_kafka_mock_cgrp_classic_member_active(g, m);
}

void mock_cmember_remove(classic_t *g, cmember_t *m) {
        mock_cmember_forget_wait(m);
        rd_kafka_mock_cgrp_classic_member_leave(g, m);
}

int mock_cmember_protocols(const cmember_t *m) {
        return m->proto_cnt;
}

int mock_cmember_protocol(const cmember_t *m, int index, const char **text) {
        *text = m->protos[index].name->str;
        return m->protos[index].name->len;
}

int mock_cmember_metadata(const cmember_t *m, int index, const void **data) {
        *data = m->protos[index].metadata->data;
        return m->protos[index].metadata->len;
}

/* librdkafka takes a member's first protocol for the one that the group has chosen. */
void mock_cmember_choose(cmember_t *m, int index) {
        rd_kafka_mock_cgrp_classic_proto_t first = m->protos[0];
        m->protos[0]                             = m->protos[index];
        m->protos[index]                         = first;
}

/* ---------------------------------------------------------------- groups of the consumer protocol (KIP-848) */

modern_t *mock_modern_next(const cluster_t *c, const modern_t *before) {
        return before ? TAILQ_NEXT(before, link) : TAILQ_FIRST(&c->cgrps_consumer);
}

const char *mock_modern_id(const modern_t *g) {
        return g->id;
}

int32_t mock_modern_epoch(const modern_t *g) {
        return g->group_epoch;
}

/* Removes members whose session has expired. librdkafka's own check unlocks the cluster where it ought to lock it, so that
 * the cluster's thread changes what another thread reads just then (rd_kafka_mock_get_requests). */
static void modern_session(rd_kafka_timers_t *timers, void *arg) {
        modern_t *g = arg;
        mmember_t *m, *next;
        rd_ts_t now = rd_clock();
        mtx_lock(&g->cluster->lock);
        TAILQ_FOREACH_SAFE(m, &g->members, link, next) {
                if (m->ts_last_activity + (rd_ts_t)g->session_timeout_ms * 1000 <= now)
                        rd_kafka_mock_cgrp_consumer_member_fenced(g, m);
        }
        mtx_unlock(&g->cluster->lock);
}

void mock_modern_watch(modern_t *g) {
        g->session_tmr.rtmr_callback = modern_session;
}

void mock_modern_delete(modern_t *g) {
        cluster_t *c = g->cluster;
        mtx_lock(&c->lock);
        rd_kafka_mock_cgrp_consumer_destroy(g);
        mtx_unlock(&c->lock);
}

/* Computes the assignment anew, as after a member has come. */
void mock_modern_reassign(modern_t *g) {
        if (!g->manual_assignment)
                rd_kafka_mock_cgrp_consumer_target_assignment(g->cluster, g->id, NULL);
}

mmember_t *mock_mmember_next(const modern_t *g, const mmember_t *before) {
        return before ? TAILQ_NEXT(before, link) : TAILQ_FIRST(&g->members);
}

const char *mock_mmember_id(const mmember_t *m) {
        return m->id;
}

const char *mock_mmember_instance(const mmember_t *m) {
        return m->instance_id;
}

int32_t mock_mmember_epoch(const mmember_t *m) {
        return m->current_member_epoch;
}

static void forget(rd_kafka_topic_partition_list_t **list) {
        if (*list)
                rd_kafka_topic_partition_list_destroy(*list);
        *list = NULL;
}

/* The member is told its assignment, as one that joins or tells all of itself. librdkafka would tell it only what has
 * changed, even of one that has given everything up since. One that joins has nothing. */
void mock_mmember_start_anew(mmember_t *m, int joins) {
        forget(&m->returned_assignment);
        if (joins)
                forget(&m->current_assignment);
}

/* What the member was told and what it has stay known when its connection has gone. librdkafka forgets both then: it tells
 * once more what it had told, which Kafka does not, and gives others what the member still has. */
void mock_mmember_keep(mmember_t *m) {
        m->conn = NULL;
}

int32_t mock_mmember_target_epoch(const mmember_t *m) {
        return m->target_member_epoch;
}

const char *mock_mmember_regex(const mmember_t *m) {
        return m->subscribed_topic_regex;
}

/* The topic at this place of the member's subscription, or NULL; with `names` of those named, else of all that it reads. */
const char *mock_mmember_topic(const mmember_t *m, int names, int index) {
        const rd_list_t *topics = names ? m->subscribed_topic_names : m->subscribed_topics;
        return topics && index < rd_list_cnt(topics) ? rd_list_elem(topics, index) : NULL;
}

/* The partition at this place of what the member has (`target`: of what it is to get); 0 at the end. */
int mock_mmember_place(const mmember_t *m, int target, int index, int64_t topic[2], int32_t *partition) {
        const rd_kafka_topic_partition_list_t *list =
            target ? m->target_assignment
                   : (m->current_assignment ? m->current_assignment : m->returned_assignment);
        rd_kafka_Uuid_t id;
        if (!list || index >= list->cnt)
                return 0;
        id         = rd_kafka_topic_partition_get_topic_id(&list->elems[index]);
        topic[0]   = id.most_significant_bits;
        topic[1]   = id.least_significant_bits;
        *partition = list->elems[index].partition;
        return 1;
}
