/* Makes calls and times them, far cheaper than any proxy that it calls.
 *
 *   load PORT REQUEST_FILE -c CONNECTIONS -s SECONDS            each connection makes one call after the other
 *   load PORT REQUEST_FILE -c CONNECTIONS -s SECONDS -r RATE    RATE calls a second, timed from when each was due
 *   load PORT REQUEST_FILE -c CONNECTIONS -o SECONDS            one call on each, the first bytes spread over SECONDS
 *
 * The file holds one whole request, head and body. Calls that run when the time is up are awaited, at most a minute.
 * Prints "open N" once with -o, when every stream has had its first event, then one line of JSON: times in
 * microseconds, and how late the events came after the instant that provider.c padded them with.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HEAD = 4096, EVENT = 2048, READ = 1 << 16, BATCH = 1024, KEPT = 1 << 22, ON_TIME = 100000, GRACE = 60000000 };
#define PADDING "\"obfuscation\":\""
enum { IN_HEAD, IN_LENGTH, IN_SIZE, IN_CHUNK, AFTER_CHUNK, IN_TRAILER };

typedef struct {
  int fd, connected, busy, state, chunked, line, finished, counted;
  long left;
  uint64_t due;
  int head_length, event_length;
  char head[HEAD], event[EVENT];
} Connection;

static Connection *connections;
static int poller, port, count = 32, *idle, idle_count, once, opened;
static double seconds = 4, rate;
static char request[1 << 20], first_error[128];
static int request_length;
static long started, done, errors, event_count, on_time, running;
static uint32_t *latencies, *lateness;

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000ull + t.tv_nsec / 1000;
}

static void dial(Connection *c) {
  int one = 1;
  struct sockaddr_in address = {AF_INET, htons(port), {htonl(INADDR_LOOPBACK)}, {0}};
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  c->connected = 0;
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (c->fd < 0 || (connect(c->fd, (void *)&address, sizeof address) && errno != EINPROGRESS)) {
    perror("load: cannot connect");
    exit(1);
  }
  struct epoll_event e = {EPOLLIN | EPOLLOUT, {.ptr = c}};
  epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &e);
}

static void end(Connection *c, const char *error) {
  if (error && !errors++) snprintf(first_error, sizeof first_error, "%s", error);
  uint64_t took = now() - c->due;
  if (!error && done < KEPT) latencies[done] = took;
  if (!error) done++;
  c->busy = 0;
  running--;
  if (!once) idle[idle_count++] = c - connections;
}

static void lose(Connection *c) {
  close(c->fd);
  if (c->busy) end(c, c->connected ? "the connection was closed in the middle of a call" : "the connection was refused");
  if (!once) dial(c);
}

static void send_request(Connection *c) {
  if (c->connected && write(c->fd, request, request_length) != request_length) lose(c);
}

static void start(Connection *c, uint64_t due) {
  c->busy = 1, c->due = due, c->state = IN_HEAD, c->chunked = c->line = c->finished = c->counted = 0;
  c->head_length = c->event_length = 0;
  started++;
  running++;
  send_request(c);
}

static void count_event(Connection *c, uint64_t moment) {
  unsigned long long due;
  c->event[c->event_length] = 0;
  if (!strncmp(c->event, "data: [DONE]", 12)) c->finished = 1;
  const char *padding = strstr(c->event, PADDING);
  if (!padding || sscanf(padding + strlen(PADDING), "%20llu", &due) != 1) return;
  uint64_t late = moment > due ? moment - due : 0;
  if (event_count < KEPT) lateness[event_count] = late;
  event_count++;
  on_time += late <= ON_TIME;
  if (once && !c->counted && ++opened == count) {
    printf("open %d\n", opened);
    fflush(stdout);
  }
  c->counted = 1;
}

static void take_body(Connection *c, const char *bytes, long n, uint64_t moment) {
  if (!c->chunked) return;
  for (const char *end = bytes + n; bytes < end;) {
    const char *line = memchr(bytes, '\n', end - bytes), *stop = line ? line + 1 : end;
    int length = stop - bytes;
    if (c->event_length + length >= EVENT) c->event_length = 0;
    memcpy(c->event + c->event_length, bytes, length);
    c->event_length += length;
    bytes = stop;
    if (line && c->event_length >= 2 && c->event[c->event_length - 2] == '\n') {
      count_event(c, moment);
      c->event_length = 0;
    }
  }
}

static void end_body(Connection *c) {
  char error[64];
  int status = atoi(c->head + 9);
  snprintf(error, sizeof error, "status %d", status);
  end(c, status != 200 ? error : c->chunked && !c->finished ? "a stream ended without its last event" : NULL);
}

/* The bytes of `bytes` that still belong to the head; the answer is one body of known length, or chunks. */
static long take_head(Connection *c, const char *bytes, long n) {
  int old = c->head_length, fits = n < HEAD - 1 - old ? n : HEAD - 1 - old;
  memcpy(c->head + old, bytes, fits);
  c->head[c->head_length += fits] = 0;
  char *stop = strstr(c->head, "\r\n\r\n");
  if (!stop) return n;
  stop[2] = 0;
  char *length = strcasestr(c->head, "\r\ncontent-length:");
  c->chunked = strcasestr(c->head, "\r\ntransfer-encoding: chunked") != NULL;
  c->state = c->chunked ? IN_SIZE : IN_LENGTH;
  c->left = c->chunked || !length ? 0 : atol(length + 17);
  return stop + 4 - c->head - old;
}

static int digit(char c) { return c <= '9' ? c - '0' : (c | 32) - 'a' + 10; }

static long take_framing(Connection *c, const char *bytes, long n) {
  for (long i = 0; i < n; i++) {
    char byte = bytes[i];
    if (byte == '\r') continue;
    if (byte != '\n') {
      if (c->state == IN_SIZE) c->left = c->left * 16 + digit(byte);
    } else if (c->state == AFTER_CHUNK) {
      c->state = IN_SIZE;
      c->left = 0;
    } else if (c->state == IN_SIZE && c->left) {
      c->state = IN_CHUNK;
      return i + 1;
    } else if (c->state == IN_SIZE) {
      c->state = IN_TRAILER;
    } else {
      end_body(c);
      return i + 1;
    }
  }
  return n;
}

static void take(Connection *c, const char *bytes, long n) {
  uint64_t moment = now();
  while (n > 0 && c->busy) {
    long used;
    if (c->state == IN_HEAD) used = take_head(c, bytes, n);
    else if (c->state != IN_LENGTH && c->state != IN_CHUNK) used = take_framing(c, bytes, n);
    else {
      used = n < c->left ? n : c->left;
      take_body(c, bytes, used, moment);
      c->left -= used;
      if (!c->left && c->state == IN_CHUNK) c->state = AFTER_CHUNK;
    }
    if (c->busy && c->state == IN_LENGTH && !c->left) end_body(c);
    bytes += used, n -= used;
  }
}

static void ready(Connection *c, uint32_t events) {
  static char buffer[READ];
  if (!c->connected && events & EPOLLOUT && !(events & (EPOLLHUP | EPOLLERR))) {
    struct epoll_event e = {EPOLLIN, {.ptr = c}};
    c->connected = 1;
    epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &e);
    if (c->busy) send_request(c);
    return;
  }
  ssize_t n = read(c->fd, buffer, READ);
  if (n > 0) take(c, buffer, n);
  else if (n == 0 || errno != EAGAIN) lose(c);
}

static uint64_t schedule(uint64_t begin, uint64_t stop) {
  uint64_t moment = now();
  if (once) {
    for (; started < count; start(&connections[started], now())) {
      uint64_t due = begin + (uint64_t)(started * seconds * 1e6 / count);
      if (due > moment) return due;
      dial(&connections[started]);
    }
    return stop;
  }
  while (idle_count && moment < stop) {
    uint64_t due = rate ? begin + (uint64_t)(started * 1e6 / rate) : moment;
    if (due > moment) return due < stop ? due : stop;
    start(&connections[idle[--idle_count]], due);
  }
  return stop;
}

static void poll_until(uint64_t moment) {
  static struct epoll_event events[BATCH];
  uint64_t current = now(), left = moment > current ? moment - current : 0;
  struct timespec pause = {left / 1000000, left % 1000000 * 1000};
  int n = epoll_pwait2(poller, events, BATCH, &pause, NULL);
  for (int i = 0; i < n; i++) ready(events[i].data.ptr, events[i].events);
}

static void connect_all(void) {
  uint64_t limit = now() + 10000000;
  for (int i = 0; i < count; i++) {
    dial(&connections[i]);
    while (!connections[i].connected && now() < limit) poll_until(now() + 10000);
    idle[idle_count++] = i;
  }
}

static int by_size(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

static uint32_t quantile(uint32_t *values, long n, double share) {
  if (n > KEPT) n = KEPT;
  return n ? values[(long)(share * (n - 1))] : 0;
}

static void report(uint64_t took) {
  qsort(latencies, done < KEPT ? done : KEPT, sizeof *latencies, by_size);
  qsort(lateness, event_count < KEPT ? event_count : KEPT, sizeof *lateness, by_size);
  printf("{\"calls\":%ld,\"errors\":%ld,\"first_error\":\"%s\",\"microseconds\":%llu,\"latency_p50\":%u,\"latency_p99\":%u,"
         "\"events\":%ld,\"on_time\":%ld,\"late_p50\":%u,\"late_p99\":%u}\n",
         done, errors + running, running && !errors ? "calls did not end" : first_error, (unsigned long long)took,
         quantile(latencies, done, .5), quantile(latencies, done, .99), event_count, on_time,
         quantile(lateness, event_count, .5), quantile(lateness, event_count, .99));
}

static void read_arguments(int argc, char **argv) {
  for (int option; (option = getopt(argc, argv, "c:s:r:o:")) > 0;) {
    if (option == 'c') count = atoi(optarg);
    else if (option == 's') seconds = atof(optarg);
    else if (option == 'r') rate = atof(optarg);
    else if (option == 'o') once = 1, seconds = atof(optarg);
    else exit(2);
  }
  FILE *file = optind + 1 < argc ? fopen(argv[optind + 1], "rb") : NULL;
  if (!file) {
    fprintf(stderr, "load: give a port and a file with a request\n");
    exit(2);
  }
  port = atoi(argv[optind]);
  request_length = fread(request, 1, sizeof request, file);
  fclose(file);
}

int main(int argc, char **argv) {
  signal(SIGPIPE, SIG_IGN);
  read_arguments(argc, argv);
  connections = calloc(count, sizeof *connections);
  idle = calloc(count, sizeof *idle);
  latencies = malloc(KEPT * sizeof *latencies);
  lateness = malloc(KEPT * sizeof *lateness);
  poller = epoll_create1(0);
  if (!once) connect_all();
  uint64_t begin = now(), stop = begin + (uint64_t)(seconds * 1e6), limit = stop + GRACE;
  for (;;) {
    uint64_t next = schedule(begin, stop), moment = now();
    if (moment >= stop && !running) break;
    if (moment >= limit) break;
    poll_until(next > moment ? next : limit);
  }
  report(now() - begin);
}
