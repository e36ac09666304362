// Both ends of row 9: a server that answers each POST after a while, and the limit that smsq is compared with, a loop over
// libcurl's curl_multi that does nothing else.
//
//   http server MILLISECONDS             prints its port; answers 200 so long after a request, on as many connections as there are
//   http client PORT IN_FLIGHT SECONDS   keeps so many POSTs in flight; after a second it counts for so long, and prints how many
//                                        were answered a second, and the time on a core of each, in microseconds
//
// libcurl's headers are not needed: see Sources/CHTTP/libcurl.h.
#define _GNU_SOURCE
#include "libcurl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void fail(const char *what) {
    fprintf(stderr, "http: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double seconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

// --- The server --------------------------------------------------------------------------------------------------------

#define MOST_BYTES 8192

struct connection {
    int socket;
    size_t count;
    char bytes[MOST_BYTES];
};

// Answers are due in the order in which their requests came.
struct due {
    struct connection *connection;
    double at;
};
#define MOST_DUE (1 << 16)
static struct due due[MOST_DUE];
static unsigned first_due, next_due;

static const char answer[] =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 44\r\n\r\n"
    "{\"outcome\":\"accepted\",\"provider_id\":\"bench\"}\n";

// How long a whole request is that stands at the beginning; 0 where it is not whole yet.
static size_t request_length(struct connection *connection) {
    char *end = memmem(connection->bytes, connection->count, "\r\n\r\n", 4);
    if (!end) return 0;
    size_t head = end + 4 - connection->bytes, body = 0;
    for (char *line = connection->bytes; line < end; line = (char *)memchr(line, '\n', end + 2 - line) + 1) {
        if (strncasecmp(line, "content-length:", 15) == 0) body = strtoul(line + 15, NULL, 10);
    }
    return connection->count >= head + body ? head + body : 0;
}

static void serve(long milliseconds) {
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), queue = epoll_create1(0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (listener < 0 || queue < 0 || bind(listener, (void *)&address, size) || listen(listener, 10000)) fail("cannot listen");
    getsockname(listener, (void *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    struct epoll_event event = {.events = EPOLLIN};
    epoll_ctl(queue, EPOLL_CTL_ADD, listener, &event);
    while (true) {
        int wait = -1;
        if (first_due != next_due) {
            double left = due[first_due % MOST_DUE].at - seconds();
            wait = left <= 0 ? 0 : (int)(left * 1000) + 1;
        }
        struct epoll_event events[512];
        int count = epoll_wait(queue, events, 512, wait);
        double now = seconds();
        for (; first_due != next_due && due[first_due % MOST_DUE].at <= now; first_due++) {
            struct connection *connection = due[first_due % MOST_DUE].connection;
            // One that was closed meanwhile: its request counts for nothing.
            if (connection->socket < 0) free(connection);
            else if (write(connection->socket, answer, sizeof answer - 1) < 0 && errno != EPIPE && errno != ECONNRESET) fail("write");
        }
        for (int index = 0; index < count; index++) {
            struct connection *connection = events[index].data.ptr;
            if (!connection) {
                int socket;
                while ((socket = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                    int on = 1;
                    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
                    struct connection *fresh = calloc(1, sizeof *fresh);
                    if (!fresh) fail("memory is out");
                    fresh->socket = socket;
                    event = (struct epoll_event){.events = EPOLLIN, .data.ptr = fresh};
                    epoll_ctl(queue, EPOLL_CTL_ADD, socket, &event);
                }
                if (errno == EMFILE) fail("too many connections");
                continue;
            }
            ssize_t got = read(connection->socket, connection->bytes + connection->count, MOST_BYTES - connection->count);
            if (got < 0 && errno == EAGAIN) continue;
            if (got <= 0) {
                close(connection->socket);
                connection->socket = -1;
                // An answer may be due to it.
                bool isDue = false;
                for (unsigned at = first_due; at != next_due && !isDue; at++) isDue = due[at % MOST_DUE].connection == connection;
                if (!isDue) free(connection);
                continue;
            }
            connection->count += got;
            size_t length = request_length(connection);
            if (length == 0) continue;
            // One request at a time stands on a connection.
            connection->count -= length;
            due[next_due++ % MOST_DUE] = (struct due){connection, now + milliseconds / 1000.0};
        }
    }
}

// --- The client --------------------------------------------------------------------------------------------------------

typedef void CURL;
typedef void CURLM;
struct curl_slist;
typedef struct {
    int msg;
    CURL *easy_handle;
    union {
        void *whatever;
        int result;
    } data;
} CURLMsg;
int curl_global_init(long);
CURL *curl_easy_init(void);
int curl_easy_setopt(CURL *, int, ...);
int curl_easy_getinfo(CURL *, int, ...);
struct curl_slist *curl_slist_append(struct curl_slist *, const char *);
CURLM *curl_multi_init(void);
int curl_multi_setopt(CURLM *, int, ...);
int curl_multi_add_handle(CURLM *, CURL *);
int curl_multi_remove_handle(CURLM *, CURL *);
int curl_multi_perform(CURLM *, int *);
int curl_multi_poll(CURLM *, void *, unsigned int, int, int *);
CURLMsg *curl_multi_info_read(CURLM *, int *);

#define CURLOPT_POSTFIELDS (10000 + 15)

static size_t ignore(char *bytes, size_t size, size_t number, void *context) {
    (void)bytes, (void)context;
    return size * number;
}

static double cpu_seconds(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void load(int port, int in_flight, double length) {
    // As large as a message of the other rows is, as a webhook gets it.
    static const char body[] =
        "{\"id\":\"2f6c1a04-7c2e-4b0e-9d3b-0123456789ab\",\"to\":\"+8613800000007\",\"text\":\"Your code is 000007. Do not show it to "
        "anyone, whoever asks\",\"from\":\"ACME\",\"attempt\":1,\"segments\":1,\"encoding\":\"gsm7\"}";
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d/sms", port);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    CURLM *multi = curl_multi_init();
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, 100000L);
    struct curl_slist *headers = curl_slist_append(NULL, "Expect:");
    headers = curl_slist_append(headers, "Content-Type: application/json");
    headers = curl_slist_append(headers, "Idempotency-Key: 2f6c1a04-7c2e-4b0e-9d3b-0123456789ab");
    for (int index = 0; index < in_flight; index++) {
        CURL *easy = curl_easy_init();
        curl_easy_setopt(easy, CURLOPT_URL, url);
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 30000L);
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, ignore);
        curl_multi_add_handle(multi, easy);
    }
    double begin = seconds(), counted_from = 0, cpu = 0;
    long answered = 0;
    while (true) {
        int running, more;
        curl_multi_perform(multi, &running);
        CURLMsg *message;
        while ((message = curl_multi_info_read(multi, &more))) {
            if (message->msg != CURLMSG_DONE) continue;
            CURL *easy = message->easy_handle;
            long status = 0;
            int code = message->data.result;
            curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
            if (code != 0 || status != 200) {
                fprintf(stderr, "http: code %d, status %ld\n", code, status);
                exit(1);
            }
            answered++;
            curl_multi_remove_handle(multi, easy);
            curl_multi_add_handle(multi, easy);
        }
        double now = seconds();
        if (counted_from == 0 && now - begin >= 1) {
            counted_from = now;
            answered = 0;
            cpu = cpu_seconds();
        }
        if (counted_from > 0 && now - counted_from >= length) {
            double passed = now - counted_from;
            printf("%.1f %.1f\n", answered / passed, (cpu_seconds() - cpu) / answered * 1e6);
            return;
        }
        curl_multi_poll(multi, NULL, 0, 100, NULL);
    }
}

int main(int count, char **arguments) {
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (count == 3 && strcmp(arguments[1], "server") == 0) serve(atol(arguments[2]));
    else if (count == 5 && strcmp(arguments[1], "client") == 0) load(atoi(arguments[2]), atoi(arguments[3]), atof(arguments[4]));
    else fprintf(stderr, "http: see the beginning of http.c\n");
    return count == 5 ? 0 : 2;
}
