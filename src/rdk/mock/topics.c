/*
 * Topics, partitions and committed offsets of the mock cluster (mock.h).
 */

#include "mock.h"

static rd_kafka_mock_broker_t *broker(const cluster_t *c, int32_t id) {
        rd_kafka_mock_broker_t *b;
        TAILQ_FOREACH(b, &c->brokers, link)
        if (b->id == id)
                return b;
        return NULL;
}

/* ---------------------------------------------------------------- topics */

topic_t *mock_topic_next(const cluster_t *c, const topic_t *before) {
        return before ? TAILQ_NEXT(before, link) : TAILQ_FIRST(&c->topics);
}

const char *mock_topic_name(const topic_t *t) {
        return t->name;
}

int mock_topic_partitions(const topic_t *t) {
        return t->partition_cnt;
}

void mock_topic_id(const topic_t *t, int64_t id[2]) {
        id[0] = t->id.most_significant_bits;
        id[1] = t->id.least_significant_bits;
}

topic_t *mock_topic_create(cluster_t *c, const char *name, int partitions, int replication) {
        rd_kafka_resp_err_t err;
        topic_t *t;
        int before                     = c->defaults.replication_factor;
        c->defaults.replication_factor = replication;
        t                              = rd_kafka_mock_topic_auto_create(c, name, partitions, &err);
        c->defaults.replication_factor = before;
        return t;
}

/* Places a partition on these brokers; the first of them leads. */
int mock_partition_place(part_t *p, const int32_t *ids, int count) {
        int i;
        for (i = 0; i < count; i++)
                if (!broker(p->topic->cluster, ids[i]))
                        return 0;
        rd_free(p->replicas);
        p->replicas    = rd_calloc(count, sizeof(*p->replicas));
        p->replica_cnt = count;
        for (i = 0; i < count; i++)
                p->replicas[i] = broker(p->topic->cluster, ids[i]);
        p->leader = p->replicas[0];
        return 1;
}

/* Removes the oldest batch of a partition. */
static void drop_first_batch(part_t *p) {
        rd_kafka_mock_msgset_t *batch = TAILQ_FIRST(&p->msgsets);
        TAILQ_REMOVE(&p->msgsets, batch, link);
        p->cnt--;
        p->size -= RD_KAFKAP_BYTES_LEN(&batch->bytes);
        rd_free(batch);
}

static void drop_commit(part_t *p, commit_t *commit) {
        TAILQ_REMOVE(&p->committed_offsets, commit, link);
        rd_kafkap_str_destroy(commit->metadata);
        rd_free(commit);
}

/* As librdkafka does when the cluster ends. No pointer to a topic or partition outlives a request. */
void mock_topic_delete(topic_t *t) {
        int i;
        for (i = 0; i < t->partition_cnt; i++) {
                part_t *p = &t->partitions[i];
                rd_kafka_mock_partition_leader_t *leader;
                while (!TAILQ_EMPTY(&p->msgsets))
                        drop_first_batch(p);
                while (!TAILQ_EMPTY(&p->committed_offsets))
                        drop_commit(p, TAILQ_FIRST(&p->committed_offsets));
                while ((leader = TAILQ_FIRST(&p->leader_responses)))
                        rd_kafka_mock_partition_leader_destroy(p, leader);
                rd_list_destroy(&p->pidstates);
                rd_free(p->replicas);
        }
        TAILQ_REMOVE(&t->cluster->topics, t, link);
        t->cluster->topic_cnt--;
        rd_free(t->partitions);
        rd_free(t->name);
        rd_free(t);
}

/* Gives a topic more partitions: those of another, new topic, which goes. The partitions move in memory, so the list
 * heads in them, to which their elements point back, are rebuilt. */
void mock_topic_grow(topic_t *t, topic_t *more) {
        int i, old = t->partition_cnt;
        for (i = 0; i < old; i++) {
                part_t *from = &t->partitions[i], *to = &more->partitions[i];
                part_t kept  = *to;
                *to          = *from;
                TAILQ_INIT(&to->msgsets);
                TAILQ_CONCAT(&to->msgsets, &from->msgsets, link);
                TAILQ_INIT(&to->committed_offsets);
                TAILQ_CONCAT(&to->committed_offsets, &from->committed_offsets, link);
                TAILQ_INIT(&to->leader_responses);
                TAILQ_CONCAT(&to->leader_responses, &from->leader_responses, link);
                /* What the new topic's partition owned is freed with it. */
                *from = kept;
                TAILQ_INIT(&from->msgsets);
                TAILQ_INIT(&from->committed_offsets);
                TAILQ_INIT(&from->leader_responses);
        }
        {
                part_t *grown       = more->partitions;
                int count           = more->partition_cnt;
                more->partitions    = t->partitions;
                more->partition_cnt = old;
                t->partitions       = grown;
                t->partition_cnt    = count;
        }
        for (i = 0; i < t->partition_cnt; i++)
                t->partitions[i].topic = t;
        for (i = 0; i < more->partition_cnt; i++)
                more->partitions[i].topic = more;
        mock_topic_delete(more);
}

part_t *mock_partition(const topic_t *t, int32_t partition) {
        return rd_kafka_mock_partition_find(t, partition);
}

int32_t mock_partition_leader(const part_t *p) {
        return p->leader ? p->leader->id : -1;
}

int32_t mock_partition_epoch(const part_t *p) {
        return p->leader_epoch;
}

int mock_partition_replicas(const part_t *p) {
        return p->replica_cnt;
}

int32_t mock_partition_replica(const part_t *p, int index) {
        return p->replicas[index]->id;
}

int64_t mock_partition_start(const part_t *p) {
        return p->start_offset;
}

int64_t mock_partition_end(const part_t *p) {
        return p->end_offset;
}

/* Moves a partition's start, at most to its end. Batches stay as long as one of their messages does. */
void mock_partition_trim(part_t *p, int64_t start) {
        rd_kafka_mock_msgset_t *batch;
        while ((batch = TAILQ_FIRST(&p->msgsets)) && batch->last_offset < start)
                drop_first_batch(p);
        p->start_offset = start;
        if (p->update_follower_start_offset)
                p->follower_start_offset = start;
}

/* ---------------------------------------------------------------- committed offsets */

commit_t *mock_commit_next(const part_t *p, const commit_t *before) {
        return before ? TAILQ_NEXT(before, link) : TAILQ_FIRST(&p->committed_offsets);
}

const char *mock_commit_group(const commit_t *commit) {
        return commit->group;
}

int64_t mock_commit_offset(const commit_t *commit) {
        return commit->offset;
}

/* -1 for none. */
int mock_commit_metadata(const commit_t *commit, const char **text) {
        if (!commit->metadata || RD_KAFKAP_STR_IS_NULL(commit->metadata))
                return -1;
        *text = commit->metadata->str;
        return commit->metadata->len;
}

void mock_commit_store(part_t *p, const char *group, int length, int64_t offset, const char *metadata,
                       int metadata_length) {
        rd_kafkap_str_t key  = kstr(group, length);
        rd_kafkap_str_t text = kstr(metadata, metadata_length);
        rd_kafka_mock_commit_offset(p, &key, offset, &text);
}

void mock_commit_delete(part_t *p, commit_t *commit) {
        drop_commit(p, commit);
}
