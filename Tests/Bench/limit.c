// The limit that the benchmark compares with: what Redis and hiredis allow when nothing else is done.
//
//   limit fill  PORT KEY COUNT BYTES   pushes messages, 1,000 a LPUSH
//   limit push  PORT KEY COUNT BYTES MESSAGES COMMANDS
//                                      the same, so many messages a LPUSH and so many LPUSH a round trip, the next one
//                                      written while Redis has the last; says how fast that was, as JSON
//   limit drain PORT KEY               claims 256 by a script and acknowledges them with the next claim, until none is left
//   limit pop   PORT KEY COUNT         BLPOP, one message after the other; loses what it holds when it is killed
//   limit times PORT KEY               BLPOP for ever, with a line for each message: when it came, in Unix microseconds
//
// No payload is looked at, nothing is logged, an error ends the program.
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BATCH 256

static redisContext *redis;

static void fail(const char *what) {
    fprintf(stderr, "limit: %s\n", what);
    exit(1);
}

static redisReply *checked(redisReply *reply) {
    if (!reply) fail(redis->errstr);
    if (reply->type == REDIS_REPLY_ERROR) fail(reply->str);
    return reply;
}

static redisReply *call(int argc, const char **argv, const size_t *lengths) {
    return checked(redisCommandArgv(redis, argc, argv, lengths));
}

// {"to":"+8613800000007","text":"Your code is 000007. xxx...","from":"ACME"}, padded to the wanted size.
static int message(char *buffer, size_t size, long number) {
    int used = sprintf(buffer, "{\"to\":\"+861380%07ld\",\"text\":\"Your code is %06ld. ", number % 10000000, number % 1000000);
    static const char padding[] = "Do not show it to anyone, whoever asks for it. ";
    const char end[] = "\",\"from\":\"ACME\"}";
    for (size_t at = 0; used + sizeof end - 1 < size; at++) buffer[used++] = padding[at % (sizeof padding - 1)];
    return used + sprintf(buffer + used, "%s", end);
}

// Payloads made beforehand, used in turn: making them is the producer's own work.
struct ring {
    long count;
    char **payloads;
    size_t *lengths;
};

static struct ring make_ring(long count, size_t bytes) {
    long most = 16000000 / (long)bytes;
    if (most > 10000) most = 10000;
    struct ring ring = {count < most ? count : most, NULL, NULL};
    ring.payloads = malloc(ring.count * sizeof *ring.payloads);
    ring.lengths = malloc(ring.count * sizeof *ring.lengths);
    if (!ring.payloads || !ring.lengths) fail("out of memory");
    for (long number = 0; number < ring.count; number++) {
        ring.payloads[number] = malloc(bytes + 200);
        if (!ring.payloads[number]) fail("out of memory");
        ring.lengths[number] = message(ring.payloads[number], bytes, number);
    }
    return ring;
}

// While Redis has one round trip, the next one is written, unless a message is to be answered before the next.
static void push(const char *key, long count, struct ring ring, int messages, int commands) {
    const char **argv = malloc((messages + 2) * sizeof *argv);
    size_t *lengths = malloc((messages + 2) * sizeof *lengths);
    if (!argv || !lengths) fail("out of memory");
    argv[0] = "LPUSH", lengths[0] = 5;
    argv[1] = key, lengths[1] = strlen(key);
    int may_lead = messages > 1 || commands > 1, underway = 0;
    for (long done = 0; done < count || underway > 0;) {
        int before = underway;
        for (int made = 0; made < commands && done < count; made++, underway++) {
            int argc = 2;
            for (; argc < messages + 2 && done < count; argc++, done++) {
                argv[argc] = ring.payloads[done % ring.count];
                lengths[argc] = ring.lengths[done % ring.count];
            }
            if (redisAppendCommandArgv(redis, argc, argv, lengths) != REDIS_OK) fail(redis->errstr);
        }
        // What was written goes out before a reply is waited for.
        int sent = 0;
        while (!sent) if (redisBufferWrite(redis, &sent) != REDIS_OK) fail(redis->errstr);
        int awaited = may_lead && done < count ? before : underway;
        for (; awaited > 0; awaited--, underway--) {
            void *reply;
            if (redisGetReply(redis, &reply) != REDIS_OK) fail(redis->errstr);
            freeReplyObject(checked(reply));
        }
    }
    free(lengths);
    free(argv);
}

static void timed_push(char **argv) {
    struct ring ring = make_ring(atol(argv[4]), (size_t)atol(argv[5]));
    struct timespec began, ended;
    clock_gettime(CLOCK_MONOTONIC, &began);
    push(argv[3], atol(argv[4]), ring, atoi(argv[6]), atoi(argv[7]));
    clock_gettime(CLOCK_MONOTONIC, &ended);
    double seconds = ended.tv_sec - began.tv_sec + (ended.tv_nsec - began.tv_nsec) / 1e9;
    printf("{\"messages_per_second\":%.1f}\n", atol(argv[4]) / seconds);
}

static const char script[] =
    "if #ARGV > 3 then redis.call('HDEL', KEYS[2], unpack(ARGV, 4)) end\n"
    "local list = redis.call('LRANGE', KEYS[1], -tonumber(ARGV[3]), -1)\n"
    "if #list == 0 then return list end\n"
    "redis.call('LTRIM', KEYS[1], 0, -#list - 1)\n"
    "local fields = {}\n"
    "for i = 1, #list do\n"
    "  fields[2 * i - 1] = ARGV[1] .. string.format('%010x', ARGV[2] + i - 1)\n"
    "  fields[2 * i] = list[#list + 1 - i]\n"
    "end\n"
    "redis.call('HSET', KEYS[2], unpack(fields))\n"
    "return list";

static void drain(const char *key) {
    const char *load[] = {"SCRIPT", "LOAD", script};
    size_t load_lengths[] = {6, 4, sizeof script - 1};
    redisReply *loaded = call(3, load, load_lengths);

    char claimed[256], number[24], ids[BATCH][32];
    snprintf(claimed, sizeof claimed, "{%s}:claimed:limit", key);
    const char *argv[8 + BATCH] = {"EVALSHA", loaded->str, "2", key, claimed, "0123456789abcdef-", number, "256"};
    size_t lengths[8 + BATCH];
    long next = 0;
    for (size_t held = 0;;) {
        sprintf(number, "%ld", next);
        for (size_t i = 0; i < held; i++) {
            sprintf(ids[i], "0123456789abcdef-%010lx", next - (long)held + (long)i);
            argv[8 + i] = ids[i];
        }
        int argc = 8 + (int)held;
        for (int i = 0; i < argc; i++) lengths[i] = strlen(argv[i]);
        redisReply *reply = call(argc, argv, lengths);
        held = reply->elements;
        next += (long)held;
        freeReplyObject(reply);
        if (held == 0) break;
    }
    printf("%ld\n", next);
}

static void pop(const char *key, long count, int with_times) {
    const char *take[] = {"BLPOP", key, "0"};
    size_t take_lengths[] = {5, strlen(key), 1};
    for (long done = 0; count == 0 || done < count; done++) {
        freeReplyObject(call(3, take, take_lengths));
        if (with_times) {
            struct timespec now;
            clock_gettime(CLOCK_REALTIME, &now);
            printf("%lld\n", now.tv_sec * 1000000LL + now.tv_nsec / 1000);
            fflush(stdout);
        }
    }
}

int main(int argc, char **argv) {
    if (argc < 4) fail("usage: see limit.c");
    redis = redisConnect("127.0.0.1", atoi(argv[2]));
    if (!redis || redis->err) fail(redis ? redis->errstr : "out of memory");
    if (!strcmp(argv[1], "fill") && argc == 6) {
        push(argv[3], atol(argv[4]), make_ring(atol(argv[4]), (size_t)atol(argv[5])), 1000, 1);
    }
    else if (!strcmp(argv[1], "push") && argc == 8) timed_push(argv);
    else if (!strcmp(argv[1], "drain")) drain(argv[3]);
    else if (!strcmp(argv[1], "pop") && argc == 5) pop(argv[3], atol(argv[4]), 0);
    else if (!strcmp(argv[1], "times")) pop(argv[3], 0, 1);
    else fail("usage: see limit.c");
    redisFree(redis);
    return 0;
}
