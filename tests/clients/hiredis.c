/* hiredis (Debian's libhiredis-dev), blocking, in RESP2 and, from hiredis 1.0 on, in RESP3. Reports in TAP. */

#include <hiredis.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Debian 12 has 0.14, which knows neither the protocol nor its types. */
#if HIREDIS_MAJOR >= 1
#define PROTOCOL_MAX 3
#define IS_ARRAY(reply) ((reply)->type == REDIS_REPLY_ARRAY || (reply)->type == REDIS_REPLY_MAP || (reply)->type == REDIS_REPLY_PUSH)
#else
#define PROTOCOL_MAX 2
#define IS_ARRAY(reply) ((reply)->type == REDIS_REPLY_ARRAY)
#endif

static int count;
static int protocol = 2;

static void expect(const char *what, bool met) {
    printf("%s %d - RESP%d: %s\n", met ? "ok" : "not ok", ++count, protocol, what);
}

static redisContext *connected(int port) {
    redisContext *context = redisConnect("127.0.0.1", port);
    if (context == NULL || context->err) {
        fprintf(stderr, "cannot connect: %s\n", context ? context->errstr : "no memory");
        exit(1);
    }
    struct timeval patience = {30, 0};
    redisSetTimeout(context, patience);
#if HIREDIS_MAJOR >= 1
    /* By default hiredis throws pushes away. Now messages are replies, as in RESP2. */
    redisSetPushCallback(context, NULL);
#endif
    if (protocol > 2) freeReplyObject(redisCommand(context, "HELLO %d", protocol));
    return context;
}

/* The next reply of a pipeline or a subscription. */
static redisReply *next(redisContext *context) {
    void *reply;
    if (redisGetReply(context, &reply) != REDIS_OK) {
        fprintf(stderr, "no reply: %s\n", context->errstr);
        exit(1);
    }
    return reply;
}

static bool is_integer(redisReply *reply, long long value) {
    bool is = reply && reply->type == REDIS_REPLY_INTEGER && reply->integer == value;
    freeReplyObject(reply);
    return is;
}

static bool has_text(redisReply *reply, int type, const char *text) {
    bool has = reply && reply->type == type && strcmp(reply->str, text) == 0;
    freeReplyObject(reply);
    return has;
}

/* Whether the reply is an array that starts with these strings. */
static bool has_words(redisReply *reply, size_t words, const char *const *expected) {
    bool has = reply && IS_ARRAY(reply) && reply->elements >= words;
    for (size_t index = 0; has && index < words; index++)
        has = strcmp(reply->element[index]->str, expected[index]) == 0;
    freeReplyObject(reply);
    return has;
}

static bool contains(redisReply *reply, const char *text) {
    bool does = reply && reply->str && strstr(reply->str, text) != NULL;
    freeReplyObject(reply);
    return does;
}

static void hashes(redisContext *redis) {
    expect("sets the fields of a hash", is_integer(redisCommand(redis, "HSET user name %s visits %d", "Ada", 1), 2));
    const char *const fields[] = {"name", "Ada", "visits", "1"};
    expect("reads a hash", has_words(redisCommand(redis, "HGETALL user"), 4, fields));
    redisReply *value = redisCommand(redis, "HGET user none");
    expect("a missing field is nil", value && value->type == REDIS_REPLY_NIL);
    freeReplyObject(value);
    expect("stores bytes", is_integer(redisCommand(redis, "HSET user name %b", "\0\r\n\xff", (size_t)4), 0));
    value = redisCommand(redis, "HGET user name");
    expect("reads bytes", value && value->len == 4 && memcmp(value->str, "\0\r\n\xff", 4) == 0);
    freeReplyObject(value);
}

static void expiry(redisContext *redis) {
    expect("HSETEX sets a field and the TTL", is_integer(redisCommand(redis, "HSETEX session user ada 60"), 1));
    redisReply *ttl = redisCommand(redis, "TTL session");
    expect("the TTL is that of the hash", ttl && ttl->integer > 0 && ttl->integer <= 60);
    freeReplyObject(ttl);
    expect("HSETEX again", is_integer(redisCommand(redis, "HSETEX session user bob 1"), 0));
    bool gone = false;
    for (int tries = 0; !gone && tries < 3000; tries++) {
        gone = is_integer(redisCommand(redis, "EXISTS session"), 0);
        usleep(10000);
    }
    expect("the hash expires", gone);
    redisReply *refused = redisCommand(redis, "HSETEX session user ada 0");
    expect("errors have their text",
           has_text(refused, REDIS_REPLY_ERROR, "ERR invalid expire time in 'hsetex' command"));
}

static void pipeline(redisContext *redis) {
    for (int number = 0; number < 1000; number++) {
        redisAppendCommand(redis, "HSET key:%d number %d", number, number);
        redisAppendCommand(redis, "HGET key:%d number", number);
    }
    bool in_order = true;
    for (int number = 0; number < 1000; number++) {
        char text[16];
        snprintf(text, sizeof text, "%d", number);
        in_order &= is_integer(next(redis), 1);
        in_order &= has_text(next(redis), REDIS_REPLY_STRING, text);
    }
    expect("pipelines answer in order", in_order);

    size_t found = 0;
    char cursor[32] = "0";
    do {
        redisReply *page = redisCommand(redis, "SCAN %s MATCH key:* COUNT 100", cursor);
        snprintf(cursor, sizeof cursor, "%s", page->element[0]->str);
        found += page->element[1]->elements;
        freeReplyObject(page);
    } while (strcmp(cursor, "0") != 0);
    expect("SCAN finds every key", found == 1000);
}

static void databases(redisContext *redis) {
    expect("SELECT", has_text(redisCommand(redis, "SELECT 15"), REDIS_REPLY_STATUS, "OK"));
    expect("adds a field there", is_integer(redisCommand(redis, "HSET moving f v"), 1));
    expect("MOVE", is_integer(redisCommand(redis, "MOVE moving 3"), 1));
    expect("and it is gone here", is_integer(redisCommand(redis, "EXISTS moving"), 0));
    expect("SWAPDB", has_text(redisCommand(redis, "SWAPDB 3 15"), REDIS_REPLY_STATUS, "OK"));
    expect("brings it back", is_integer(redisCommand(redis, "EXISTS moving"), 1));
    expect("there are 16 databases",
           has_text(redisCommand(redis, "SELECT 16"), REDIS_REPLY_ERROR, "ERR DB index is out of range"));
    expect("SELECT again", has_text(redisCommand(redis, "SELECT 0"), REDIS_REPLY_STATUS, "OK"));
}

static void transaction(redisContext *redis, redisContext *other) {
    expect("MULTI", has_text(redisCommand(redis, "MULTI"), REDIS_REPLY_STATUS, "OK"));
    expect("calls are queued", has_text(redisCommand(redis, "HSET a n 1"), REDIS_REPLY_STATUS, "QUEUED"));
    expect("also on other keys", has_text(redisCommand(redis, "HINCRBY b n 2"), REDIS_REPLY_STATUS, "QUEUED"));
    expect("nothing is seen before EXEC", is_integer(redisCommand(other, "EXISTS a b"), 0));
    redisReply *done = redisCommand(redis, "EXEC");
    expect("EXEC answers all at once", done && done->type == REDIS_REPLY_ARRAY && done->elements == 2 &&
                                           done->element[0]->integer == 1 && done->element[1]->integer == 2);
    freeReplyObject(done);
    freeReplyObject(redisCommand(redis, "WATCH a"));
    freeReplyObject(redisCommand(other, "HSET a n 7"));
    freeReplyObject(redisCommand(redis, "MULTI"));
    freeReplyObject(redisCommand(redis, "HSET a n 8"));
    done = redisCommand(redis, "EXEC");
    expect("a watched key that changed stops it", done && done->type == REDIS_REPLY_NIL);
    freeReplyObject(done);
    expect("and it has changed nothing", has_text(redisCommand(redis, "HGET a n"), REDIS_REPLY_STRING, "7"));
}

static void channels(redisContext *redis, redisContext *subscriber) {
    const char *const subscribed[] = {"subscribe", "news"};
    expect("subscribes", has_words(redisCommand(subscriber, "SUBSCRIBE news"), 2, subscribed));
    const char *const pattern[] = {"psubscribe", "__keyevent@0__:expire*"};
    expect("to patterns", has_words(redisCommand(subscriber, "PSUBSCRIBE __keyevent@0__:expire*"), 2, pattern));
    expect("somebody listens", is_integer(redisCommand(redis, "PUBLISH news hello"), 1));
    const char *const message[] = {"message", "news", "hello"};
    expect("messages arrive", has_words(next(subscriber), 3, message));
    freeReplyObject(redisCommand(redis, "HSETEX short f v 1"));
    const char *const told[] = {"pmessage", "__keyevent@0__:expire*", "__keyevent@0__:expire", "short"};
    expect("the event of a new TTL arrives", has_words(next(subscriber), 4, told));
    const char *const expired[] = {"pmessage", "__keyevent@0__:expire*", "__keyevent@0__:expired", "short"};
    expect("the event of an expired key arrives", has_words(next(subscriber), 4, expired));
    const char *const gone[] = {"unsubscribe", "news"};
    expect("unsubscribes", has_words(redisCommand(subscriber, "UNSUBSCRIBE"), 2, gone));
    expect("nobody listens any more", is_integer(redisCommand(redis, "PUBLISH news lost"), 0));
}

static void everything(int port) {
    redisContext *redis = connected(port), *other = connected(port), *subscriber = connected(port);
    char resp[16];
    snprintf(resp, sizeof resp, " resp=%d ", protocol);
    expect("speaks it", contains(redisCommand(redis, "CLIENT INFO"), resp));
    freeReplyObject(redisCommand(redis, "FLUSHALL"));
    hashes(redis);
    expiry(redis);
    pipeline(redis);
    databases(redis);
    transaction(redis, other);
    channels(redis, subscriber);
    freeReplyObject(redisCommand(redis, "QUIT"));
    expect("connects again", redisReconnect(redis) == REDIS_OK);
    expect("and is answered", has_text(redisCommand(redis, "PING"), REDIS_REPLY_STATUS, "PONG"));
    redisFree(redis);
    redisFree(other);
    redisFree(subscriber);
}

int main(int count_of_words, char **words) {
    if (count_of_words != 2) return 2;
    fprintf(stderr, "hiredis %d.%d.%d\n", HIREDIS_MAJOR, HIREDIS_MINOR, HIREDIS_PATCH);
    for (protocol = 2; protocol <= PROTOCOL_MAX; protocol++) everything(atoi(words[1]));
    printf("1..%d\n", count);
    return 0;
}
