// The engine: answers every POST with a chat completion, or with a stream of events when the body asks for one.
#include "peer.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define JSON_BYTES 1549
#define EVENT_BYTES 300
#define REQUEST_MAX 16384
#define STREAMS_MAX 8192

struct upstream {
  struct watched watched;
  size_t length;
  int sent; // content events of the stream under way
  uint64_t due;
  char request[REQUEST_MAX];
};

static char json_reply[4096];
static size_t json_reply_bytes;
static char stream_head[256];
static char content[EVENT_BYTES + 16], last_content[EVENT_BYTES + 16], usage[512], done[64];
static size_t event_bytes, usage_bytes, done_bytes, usage_payload, done_payload;

// Streams in the order in which they are due: all intervals of a run are equal, so a ring is sorted.
static struct upstream *ring[STREAMS_MAX];
static size_t ring_head, ring_count;

static size_t frame(char *into, const char *payload) {
  return (size_t)sprintf(into, "%zx\r\n%s\r\n", strlen(payload), payload);
}

static void make_event(char *into, const char *finish) {
  char payload[1024];
  const char *before = "data: {\"t\":\"0000000000000000000\",\"id\":\"chatcmpl-9vKqYt3m5cXbL2\",\"object\":\"chat.completion.chunk\","
                       "\"created\":1760000000,\"model\":\"bench-model\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"";
  char after[128];
  sprintf(after, "\"},\"logprobs\":null,\"finish_reason\":%s}]}\n\n", finish);
  int filler = EVENT_BYTES - (int)strlen(before) - (int)strlen(after);
  sprintf(payload, "%s%.*s%s", before, filler, "the quick brown fox jumps over the lazy dog and then it rests in the shade of a tree again", after);
  event_bytes = frame(into, payload);
}

void upstream_prepare(void) {
  char body[2048];
  const char *before = "{\"id\":\"chatcmpl-9vKqYt3m5cXbL2\",\"object\":\"chat.completion\",\"created\":1760000000,\"model\":\"bench-model\","
                       "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"";
  const char *after = "\"},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":57,\"completion_tokens\":231,"
                      "\"total_tokens\":288,\"prompt_tokens_details\":{\"cached_tokens\":16}}}";
  size_t at = (size_t)sprintf(body, "%s", before);
  while (at + strlen(after) < JSON_BYTES) body[at] = "lorem ipsum dolor sit amet "[at % 27], at++;
  strcpy(body + at, after);
  json_reply_bytes = (size_t)sprintf(json_reply,
                                     "HTTP/1.1 200 OK\r\nserver: engine\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\ncontent-type: "
                                     "application/json\r\ncontent-length: %d\r\n\r\n%s",
                                     JSON_BYTES, body);
  sprintf(stream_head, "HTTP/1.1 200 OK\r\nserver: engine\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\ncache-control: no-cache\r\n"
                       "content-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n");
  make_event(content, "null");
  make_event(last_content, "\"stop\"");
  const char *usage_event = "data: {\"id\":\"chatcmpl-9vKqYt3m5cXbL2\",\"object\":\"chat.completion.chunk\",\"created\":1760000000,"
                            "\"model\":\"bench-model\",\"choices\":[],\"usage\":{\"prompt_tokens\":57,\"completion_tokens\":50,"
                            "\"total_tokens\":107,\"prompt_tokens_details\":{\"cached_tokens\":16}}}\n\n";
  const char *done_event = "data: [DONE]\n\n";
  usage_payload = strlen(usage_event), done_payload = strlen(done_event);
  usage_bytes = frame(usage, usage_event), done_bytes = frame(done, done_event);
}

size_t json_bytes(void) { return JSON_BYTES; }
const char *json_body(void) { return json_reply + json_reply_bytes - JSON_BYTES; }
size_t stream_bytes(int events) { return (size_t)events * EVENT_BYTES + usage_payload + done_payload; }

int upstream_listen(struct watched *listener) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  listener->kind = KIND_LISTENER;
  listener->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (bind(listener->fd, (struct sockaddr *)&address, size) < 0 || listen(listener->fd, 4096) < 0) return -1;
  getsockname(listener->fd, (struct sockaddr *)&address, &size);
  watch(listener);
  return ntohs(address.sin_port);
}

void upstream_accept(struct watched *listener) {
  for (;;) {
    int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct upstream *up = calloc(1, sizeof *up);
    up->watched.kind = KIND_UPSTREAM;
    up->watched.fd = fd;
    watch(&up->watched);
  }
}

static void put(struct upstream *up, const char *bytes, size_t length) {
  ssize_t written = write(up->watched.fd, bytes, length);
  if (written != (ssize_t)length) complain("the engine could not write %zu bytes: %s", length, strerror(errno));
}

static void put_content(struct upstream *up) {
  char *event = up->sent == run.events - 1 ? last_content : content;
  char digits[STAMP_DIGITS + 1];
  snprintf(digits, sizeof digits, "%019llu", (unsigned long long)now_ns());
  memcpy(strstr(event, "\r\n") + 2 + STAMP_AT, digits, STAMP_DIGITS);
  put(up, event, event_bytes);
  up->sent++;
}

static void put_end(struct upstream *up) {
  put(up, usage, usage_bytes);
  put(up, done, done_bytes);
  put(up, "0\r\n\r\n", 5);
}

static void enqueue(struct upstream *up, uint64_t now) {
  if (ring_count == STREAMS_MAX) {
    complain("more than %d streams at once", STREAMS_MAX);
    return;
  }
  up->due = now + run.interval_ns;
  ring[(ring_head + ring_count++) % STREAMS_MAX] = up;
}

void upstream_tick(uint64_t now) {
  while (ring_count > 0 && ring[ring_head]->due <= now) {
    struct upstream *up = ring[ring_head];
    ring_head = (ring_head + 1) % STREAMS_MAX, ring_count--;
    if (up->watched.fd < 0) { // its connection went while it waited
      free(up);
      continue;
    }
    put_content(up);
    if (up->sent == run.events) up->sent = 0, put_end(up);
    else enqueue(up, now);
  }
}

static void answer(struct upstream *up, const char *body) {
  if (strstr(body, "\"stream\":true") == NULL) {
    put(up, json_reply, json_reply_bytes);
    return;
  }
  put(up, stream_head, strlen(stream_head));
  up->sent = 0;
  if (run.interval_ns > 0) {
    put_content(up);
    enqueue(up, now_ns());
    return;
  }
  while (up->sent < run.events) put_content(up);
  up->sent = 0;
  put_end(up);
}

static const char *field(const char *head, const char *name) {
  size_t length = strlen(name);
  for (const char *line = strstr(head, "\r\n"); line != NULL && line[2] != '\r'; line = strstr(line + 2, "\r\n"))
    if (strncasecmp(line + 2, name, length) == 0 && line[2 + length] == ':') return line + 3 + length;
  return NULL;
}

void upstream_readable(struct watched *watched) {
  struct upstream *up = (struct upstream *)watched;
  ssize_t got = read(watched->fd, up->request + up->length, REQUEST_MAX - 1 - up->length);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    close(watched->fd);
    watched->fd = -1;
    if (up->sent == 0) free(up); // else the ring still holds it
    return;
  }
  up->length += (size_t)got;
  up->request[up->length] = 0;
  char *body = strstr(up->request, "\r\n\r\n");
  if (body == NULL) return;
  body += 4;
  const char *length = field(up->request, "content-length");
  if (length != NULL) {
    if (up->length < (size_t)(body - up->request) + strtoul(length, NULL, 10)) return;
  } else if (field(up->request, "transfer-encoding") != NULL) {
    if (up->length < 5 || memcmp(up->request + up->length - 5, "0\r\n\r\n", 5) != 0) return;
  }
  up->length = 0;
  answer(up, body);
}
