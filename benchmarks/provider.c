/* A stand-in for an OpenAI-compatible provider, far cheaper than any proxy in front of it.
 *
 * One epoll thread, HTTP/1.1 keep-alive on a free loopback port, which it prints. The request's "user" field orders the
 * answer: "events=100;gap=10000" streams 100 content chunks, one each 10,000 microseconds. A request without
 * "stream":true gets about 1 KB of JSON at once. What pads every chunk is the instant at which it was due, in
 * microseconds of CLOCK_MONOTONIC, so that the receiver on the same machine sees how late it came.
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

enum { CONNECTIONS = 1 << 16, INPUT = 16384, OUTPUT = 8192, BATCH = 1024 };

typedef struct {
  int fd, open, generation, busy, asks_usage, sent, events;
  long gap;
  uint64_t due;
  int received, pending;
  char input[INPUT], output[OUTPUT];
} Connection;

typedef struct {
  uint64_t due;
  int fd, generation;
} Timer;

static Connection *connections[CONNECTIONS];
static Timer timers[CONNECTIONS];
static int timer_count, poller;
static char answer[4096];
static int answer_length;

static const char *STREAM_HEAD =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\nx-request-id: req_0123456789abcdef\r\n"
    "openai-processing-ms: 12\r\ncache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n";

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000ull + t.tv_nsec / 1000;
}

static void swap(int a, int b) {
  Timer kept = timers[a];
  timers[a] = timers[b];
  timers[b] = kept;
}

static void add_timer(Timer timer) {
  int i = timer_count++;
  timers[i] = timer;
  for (; i && timers[(i - 1) / 2].due > timers[i].due; i = (i - 1) / 2) swap(i, (i - 1) / 2);
}

static Timer take_timer(void) {
  Timer first = timers[0];
  timers[0] = timers[--timer_count];
  for (int i = 0;;) {
    int left = 2 * i + 1, least = i;
    if (left < timer_count && timers[left].due < timers[least].due) least = left;
    if (left + 1 < timer_count && timers[left + 1].due < timers[least].due) least = left + 1;
    if (least == i) return first;
    swap(i, least);
    i = least;
  }
}

static void hang_up(Connection *c) {
  c->open = 0;
  c->generation++;
  close(c->fd);
}

static void watch(Connection *c, uint32_t events) {
  struct epoll_event e = {events, {.fd = c->fd}};
  epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &e);
}

static void flush(Connection *c) {
  ssize_t n = c->pending ? write(c->fd, c->output, c->pending) : 0;
  if (n < 0 && errno != EAGAIN) return hang_up(c);
  if (n > 0) memmove(c->output, c->output + n, c->pending -= n);
  if (c->pending) watch(c, EPOLLIN | EPOLLOUT);
}

static void put(Connection *c, const char *bytes, int n) {
  if (c->pending + n > OUTPUT) return; /* a reader 8 KB behind loses events, and the benchmark counts that */
  memcpy(c->output + c->pending, bytes, n);
  c->pending += n;
}

static void put_event(Connection *c, const char *json, int n) {
  char frame[1024];
  put(c, frame, sprintf(frame, "%x\r\ndata: %.*s\n\n\r\n", n + 8, n, json));
}

static void put_content(Connection *c) {
  char json[768];
  int last = c->sent == c->events - 1;
  put_event(c, json, sprintf(json,
      "{\"id\":\"chatcmpl-%020d\",\"object\":\"chat.completion.chunk\",\"created\":1790000000,"
      "\"model\":\"gpt-4o-mini-2024-07-18\",\"system_fingerprint\":\"fp_0123456789\",\"choices\":[{\"index\":0,"
      "\"delta\":{%s\"content\":\" token%03d\"},\"logprobs\":null,\"finish_reason\":%s}],\"usage\":null,"
      "\"obfuscation\":\"%020llu\"}",
      c->fd, c->sent ? "" : "\"role\":\"assistant\",", c->sent % 1000, last ? "\"stop\"" : "null",
      (unsigned long long)c->due));
  c->sent++;
}

static void put_end(Connection *c) {
  char json[768];
  if (c->asks_usage)
    put_event(c, json, sprintf(json,
        "{\"id\":\"chatcmpl-%020d\",\"object\":\"chat.completion.chunk\",\"created\":1790000000,"
        "\"model\":\"gpt-4o-mini-2024-07-18\",\"choices\":[],\"usage\":{\"prompt_tokens\":120,"
        "\"completion_tokens\":%d,\"total_tokens\":%d,\"prompt_tokens_details\":{\"cached_tokens\":64}},"
        "\"obfuscation\":\"%020llu\"}",
        c->fd, c->events, c->events + 120, (unsigned long long)c->due));
  put(c, "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n", 24);
}

static void serve(Connection *c);

static void tick(Connection *c) {
  put_content(c);
  if (c->sent == c->events) put_end(c);
  flush(c);
  if (!c->open) return;
  if (c->sent < c->events) {
    c->due += c->gap;
    return add_timer((Timer){c->due, c->fd, c->generation});
  }
  c->busy = 0;
  serve(c);
}

static void order(Connection *c, const char *body) {
  const char *wish = strstr(body, "\"events=");
  c->events = 0, c->gap = 10000, c->sent = 0;
  if (strstr(body, "\"stream\":true") == NULL) return;
  c->events = 100;
  if (wish) sscanf(wish, "\"events=%d;gap=%ld", &c->events, &c->gap);
  c->asks_usage = strstr(body, "\"include_usage\"") != NULL;
}

static void reply(Connection *c) {
  if (!c->events) {
    put(c, answer, answer_length);
    return flush(c);
  }
  put(c, STREAM_HEAD, strlen(STREAM_HEAD));
  c->busy = 1;
  c->due = now();
  tick(c);
}

/* The length of the request at the start of the input; 0 while it is incomplete. */
static int request_length(Connection *c, char **body) {
  c->input[c->received] = 0;
  char *end = strstr(c->input, "\r\n\r\n"), *length = end ? strcasestr(c->input, "\r\ncontent-length:") : NULL;
  if (!end) return 0;
  *body = end + 4;
  int total = end + 4 - c->input + (length && length < end ? atoi(length + 17) : 0);
  return total <= c->received ? total : 0;
}

static void serve(Connection *c) {
  char *body;
  for (int n; c->open && !c->busy && (n = request_length(c, &body)) > 0;) {
    char kept = c->input[n];
    c->input[n] = 0;
    order(c, body);
    c->input[n] = kept;
    memmove(c->input, c->input + n, c->received -= n);
    reply(c);
  }
}

static void greet(int listener) {
  for (int fd, one = 1; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
    if (fd >= CONNECTIONS) { close(fd); continue; }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    Connection *c = connections[fd] ? connections[fd] : (connections[fd] = calloc(1, sizeof *c));
    c->fd = fd, c->open = 1, c->busy = c->received = c->pending = 0, c->generation++;
    struct epoll_event e = {EPOLLIN, {.fd = fd}};
    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &e);
  }
}

static void ready(Connection *c, uint32_t events) {
  if (!c->open) return;
  if (events & EPOLLOUT) {
    watch(c, EPOLLIN);
    flush(c);
  }
  if (!c->open || !(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) return;
  ssize_t n = read(c->fd, c->input + c->received, INPUT - 1 - c->received);
  if (n <= 0) {
    if (n == 0 || errno != EAGAIN) hang_up(c);
    return;
  }
  c->received += n;
  serve(c);
}

static int listen_on_loopback(void) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  if (bind(fd, (void *)&address, size) || listen(fd, 8192) || getsockname(fd, (void *)&address, &size)) {
    perror("provider: cannot listen");
    exit(1);
  }
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  return fd;
}

static void prepare_answer(void) {
  char text[481], body[2048];
  for (int i = 0; i < 480; i++) text[i] = "one call answered in plain words "[i % 33];
  text[480] = 0;
  int n = sprintf(body,
      "{\"id\":\"chatcmpl-9x0123456789abcdefghijklmn\",\"object\":\"chat.completion\",\"created\":1790000000,"
      "\"model\":\"gpt-4o-mini-2024-07-18\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"%s\","
      "\"refusal\":null,\"annotations\":[]},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":120,"
      "\"completion_tokens\":100,\"total_tokens\":220,\"prompt_tokens_details\":{\"cached_tokens\":64,\"audio_tokens\":0},"
      "\"completion_tokens_details\":{\"reasoning_tokens\":0,\"audio_tokens\":0}},\"service_tier\":\"default\","
      "\"system_fingerprint\":\"fp_0123456789\"}", text);
  answer_length = sprintf(answer,
      "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\nx-request-id: req_0123456789abcdef\r\n"
      "openai-processing-ms: 12\r\nopenai-version: 2020-10-01\r\nx-ratelimit-limit-requests: 10000\r\n"
      "x-ratelimit-remaining-requests: 9999\r\n\r\n%s", n, body);
}

static int wait_for(struct epoll_event *events) {
  struct timespec pause = {0}, *timeout = NULL;
  uint64_t moment = now();
  if (timer_count) {
    uint64_t left = timers[0].due > moment ? timers[0].due - moment : 0;
    pause.tv_sec = left / 1000000, pause.tv_nsec = left % 1000000 * 1000;
    timeout = &pause;
  }
  return epoll_pwait2(poller, events, BATCH, timeout, NULL);
}

int main(void) {
  static struct epoll_event events[BATCH];
  signal(SIGPIPE, SIG_IGN);
  prepare_answer();
  poller = epoll_create1(0);
  int listener = listen_on_loopback();
  struct epoll_event door = {EPOLLIN, {.fd = listener}};
  epoll_ctl(poller, EPOLL_CTL_ADD, listener, &door);
  for (;;) {
    int n = wait_for(events);
    for (int i = 0; i < n; i++) {
      if (events[i].data.fd == listener) greet(listener);
      else ready(connections[events[i].data.fd], events[i].events);
    }
    for (uint64_t moment = now(); timer_count && timers[0].due <= moment;) {
      Timer timer = take_timer();
      Connection *c = connections[timer.fd];
      if (c->open && c->generation == timer.generation) tick(c);
    }
  }
}
