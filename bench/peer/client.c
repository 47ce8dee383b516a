// The clients: send the run's request, follow the framing of every reply and check what is in it.
#include "peer.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS_MAX 4096
#define HEAD_MAX 8192
#define LINE_MAX_KEPT 40
#define ARRIVALS_MAX 65536

enum phase { HEAD, LENGTH, CHUNK_SIZE, CHUNK, CHUNK_END, TRAILER };

struct client {
  struct watched watched;
  int busy;
  uint64_t asked; // when the request was due
  uint64_t starts; // when a closed loop begins
  enum phase phase;
  size_t head_length, left, body_bytes;
  int seen_body, wrong, stream, events, done;
  size_t line_length;
  char line[LINE_MAX_KEPT + 1], head[HEAD_MAX];
};

static struct client *clients[CLIENTS_MAX];
static int client_count, busy_count, stopping;
static struct client *idle[CLIENTS_MAX];
static int idle_count, unstarted;
static uint64_t arrivals[ARRIVALS_MAX]; // due and without a free connection
static size_t arrival_head, arrival_count;
static double next_arrival;
static char buffer[1 << 18];

static void open_connection(struct client *client) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)run.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) complain("cannot connect to port %d: %s", run.port, strerror(errno));
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  fcntl(fd, F_SETFL, O_NONBLOCK);
  client->watched.kind = KIND_CLIENT;
  client->watched.fd = fd;
  watch(&client->watched);
}

static void ask(struct client *client, uint64_t due) {
  client->busy = 1, busy_count++;
  client->asked = due;
  client->phase = HEAD;
  client->head_length = client->left = client->body_bytes = client->line_length = 0;
  client->seen_body = client->wrong = client->events = client->done = 0;
  ssize_t written = write(client->watched.fd, run.request, run.request_bytes);
  if (written != (ssize_t)run.request_bytes) complain("a client could not write its request: %s", strerror(errno));
}

void clients_open(uint64_t now) {
  client_count = run.connections;
  stopping = busy_count = idle_count = 0;
  arrival_count = 0;
  unstarted = 0;
  next_arrival = (double)now;
  // A paced stream that ends starts its successor at once: spread the starts over one stream, so that they stay spread.
  uint64_t spread = run.interval_ns * (uint64_t)run.events;
  for (int i = 0; i < client_count; i++) {
    clients[i] = calloc(1, sizeof *clients[i]);
    open_connection(clients[i]);
    clients[i]->starts = now + spread * (uint64_t)i / (uint64_t)client_count;
    if (run.rate > 0) idle[idle_count++] = clients[i];
  }
}

void clients_tick(uint64_t now) {
  if (stopping) return;
  if (run.rate <= 0) {
    while (unstarted < client_count && clients[unstarted]->starts <= now) ask(clients[unstarted], now), unstarted++;
    return;
  }
  while (next_arrival <= (double)now) {
    uint64_t due = (uint64_t)next_arrival;
    next_arrival += -log(1.0 - drand48()) * 1e9 / run.rate;
    if (idle_count > 0) ask(idle[--idle_count], due);
    else if (arrival_count < ARRIVALS_MAX) {
      arrivals[(arrival_head + arrival_count++) % ARRIVALS_MAX] = due;
      if (measuring) counts.queued++;
    } else complain("more than %d requests are overdue: the proxy is saturated", ARRIVALS_MAX);
  }
}

int clients_busy(void) { return busy_count; }
void clients_stop(void) { stopping = 1; }

void clients_close(void) {
  for (int i = 0; i < client_count; i++) close(clients[i]->watched.fd), free(clients[i]);
  client_count = 0;
}

static void wrong(struct client *client, const char *what) {
  if (!client->wrong) complain("%s: %.300s", what, client->head);
  client->wrong = 1;
}

static void finished(struct client *client) {
  uint64_t now = now_ns();
  if (client->stream) {
    if (client->events != run.events + 1 || !client->done) wrong(client, "events are missing or too many, or [DONE] is");
    if (!run.loose && client->body_bytes != stream_bytes(run.events)) wrong(client, "the stream has not the engine's bytes");
  } else if (client->body_bytes == 0 || (!run.loose && client->body_bytes != json_bytes())) wrong(client, "the body has not its length");
  warmed_by++;
  if (measuring) {
    counts.completed++;
    counts.mismatches += (uint64_t)client->wrong;
    sample(&last_byte, client->asked, now);
  }
  client->busy = 0, busy_count--;
  if (stopping) return;
  if (run.rate <= 0) ask(client, now);
  else if (arrival_count > 0) {
    uint64_t due = arrivals[arrival_head];
    arrival_head = (arrival_head + 1) % ARRIVALS_MAX, arrival_count--;
    ask(client, due);
  } else idle[idle_count++] = client;
}

static void line_ended(struct client *client, uint64_t now) {
  char *line = client->line;
  line[client->line_length < LINE_MAX_KEPT ? client->line_length : LINE_MAX_KEPT] = 0;
  client->line_length = 0;
  if (strncmp(line, "data:", 5) != 0) return;
  warmed_by++;
  if (measuring) counts.chunks++;
  if (strcmp(line, "data: [DONE]") == 0) {
    client->done = 1;
    return;
  }
  if (client->done) wrong(client, "an event comes after [DONE]");
  client->events++;
  if (measuring && strncmp(line, "data: {\"t\":\"", STAMP_AT) == 0) sample(&chunk_delay, strtoull(line + STAMP_AT, NULL, 10), now);
}

// De-framed bytes of a body.
static void body(struct client *client, const char *bytes, size_t length, uint64_t now) {
  if (!client->seen_body) {
    client->seen_body = 1;
    if (measuring) sample(&first_byte, client->asked, now);
  }
  if (!client->stream) {
    if (!run.loose && (client->body_bytes + length > json_bytes() || memcmp(json_body() + client->body_bytes, bytes, length) != 0))
      wrong(client, "the body is not the engine's");
    client->body_bytes += length;
    return;
  }
  client->body_bytes += length;
  while (length > 0) {
    const char *end = memchr(bytes, '\n', length);
    size_t part = end == NULL ? length : (size_t)(end - bytes);
    if (client->line_length < LINE_MAX_KEPT) {
      size_t room = LINE_MAX_KEPT - client->line_length;
      memcpy(client->line + client->line_length, bytes, part < room ? part : room);
    }
    client->line_length += part;
    if (end == NULL) return;
    line_ended(client, now);
    bytes += part + 1, length -= part + 1;
  }
}

static int head_ended(struct client *client) {
  const char *head = client->head;
  client->stream = 0;
  size_t announced = (size_t)-1;
  int chunked = 0;
  if (strncmp(head, "HTTP/1.1 200", 12) != 0) wrong(client, "not 200");
  for (const char *line = strstr(head, "\r\n"); line != NULL && line[2] != '\r'; line = strstr(line + 2, "\r\n")) {
    if (strncasecmp(line + 2, "content-length:", 15) == 0) announced = strtoul(line + 17, NULL, 10);
    if (strncasecmp(line + 2, "transfer-encoding: chunked", 26) == 0) chunked = 1;
    if (strncasecmp(line + 2, "content-type: text/event-stream", 31) == 0) client->stream = 1;
  }
  if (chunked == (announced != (size_t)-1)) {
    wrong(client, "neither or both of content-length and chunked");
    return -1;
  }
  client->phase = chunked ? CHUNK_SIZE : LENGTH;
  client->left = chunked ? 0 : announced;
  return 0;
}

// One byte of a head, a chunk's size or a trailer. 1: the reply is whole; -1: it makes no sense.
static int control(struct client *client, char byte) {
  if (client->head_length >= HEAD_MAX - 1) return -1;
  client->head[client->head_length++] = byte;
  client->head[client->head_length] = 0;
  if (byte != '\n') return 0;
  char *text = client->head;
  size_t length = client->head_length;
  switch (client->phase) {
  case HEAD:
    if (length < 4 || memcmp(text + length - 4, "\r\n\r\n", 4) != 0) return 0;
    client->head_length = 0;
    if (head_ended(client) < 0) return -1;
    return client->phase == LENGTH && client->left == 0;
  case CHUNK_SIZE: {
    char *end;
    client->left = strtoul(text, &end, 16);
    client->head_length = 0;
    if (end == text || *end != '\r') return -1;
    client->phase = client->left == 0 ? TRAILER : CHUNK;
    return 0;
  }
  case CHUNK_END:
    client->head_length = 0;
    client->phase = CHUNK_SIZE;
    return length == 2 ? 0 : -1;
  default: // TRAILER
    client->head_length = 0;
    return length == 2 ? 1 : 0;
  }
}

static int follow(struct client *client, const char *bytes, size_t length, uint64_t now) {
  while (length > 0) {
    if (client->phase == LENGTH || client->phase == CHUNK) {
      size_t part = length < client->left ? length : client->left;
      body(client, bytes, part, now);
      bytes += part, length -= part, client->left -= part;
      if (client->left > 0) return 0;
      if (client->phase == LENGTH) return length == 0 ? 1 : -1;
      client->phase = CHUNK_END;
      continue;
    }
    int outcome = control(client, *bytes);
    bytes++, length--;
    if (outcome != 0) return length == 0 ? outcome : -1;
  }
  return 0;
}

void client_readable(struct watched *watched) {
  struct client *client = (struct client *)watched;
  ssize_t got = read(watched->fd, buffer, sizeof buffer);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  int outcome = got <= 0 || !client->busy ? -1 : follow(client, buffer, (size_t)got, now_ns());
  if (outcome == 0) return;
  if (outcome < 0) {
    // Closed or broken: an idle connection may be closed at any time, a busy one may not.
    if (client->busy) {
      complain("a reply broke off or is not HTTP: %.200s", client->head);
      counts.broken++;
      busy_count--;
      client->busy = 0;
      if (run.rate > 0) idle[idle_count++] = client;
    }
    close(watched->fd);
    open_connection(client);
    if (run.rate <= 0 && !stopping) ask(client, now_ns());
    return;
  }
  finished(client);
}
