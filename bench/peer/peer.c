// Prints the port of its engine, then does one run for each line on standard input and prints what it saw as one line of JSON.
#include "peer.h"
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

struct run run;
struct counts counts;
struct samples first_byte, last_byte, chunk_delay;
char complaint[512];
int measuring;
uint64_t warmed_by;

static int epoll;

#define DRAIN_SECONDS 10
#define WARM_SECONDS_MAX 10

uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void watch(struct watched *what) {
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = what};
  epoll_ctl(epoll, EPOLL_CTL_ADD, what->fd, &event);
}

// Keeps the first complaint of a run: the others follow from it.
void complain(const char *format, ...) {
  if (complaint[0] != 0) return;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(complaint, sizeof complaint, format, arguments);
  va_end(arguments);
}

void sample(struct samples *into, uint64_t since, uint64_t now) {
  uint64_t delay = now > since ? now - since : 0;
  if (into->count < SAMPLES_MAX) into->values[into->count++] = delay > UINT32_MAX ? UINT32_MAX : (uint32_t)delay;
}

static void turn(int timeout) {
  struct epoll_event events[256];
  int count = epoll_wait(epoll, events, 256, timeout);
  for (int i = 0; i < count; i++) {
    struct watched *watched = events[i].data.ptr;
    switch (watched->kind) {
    case KIND_LISTENER: upstream_accept(watched); break;
    case KIND_UPSTREAM: upstream_readable(watched); break;
    case KIND_CLIENT: client_readable(watched); break;
    case KIND_COMMANDS: break;
    }
  }
}

// utime and stime of the run's processes, in seconds (proc(5), fields 14 and 15 of stat).
static void cpu_times(double *user, double *system) {
  *user = *system = 0;
  for (int i = 0; i < run.pid_count; i++) {
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", run.pids[i]);
    FILE *file = fopen(path, "r");
    if (file == NULL) continue;
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = 0;
    char *after_name = strrchr(text, ')');
    unsigned long utime = 0, stime = 0;
    if (after_name != NULL) sscanf(after_name + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &utime, &stime);
    *user += (double)utime / (double)sysconf(_SC_CLK_TCK);
    *system += (double)stime / (double)sysconf(_SC_CLK_TCK);
  }
}

static int ascending(const void *left, const void *right) {
  uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
  return a < b ? -1 : a > b;
}

static void print_samples(const char *name, struct samples *samples) {
  qsort(samples->values, samples->count, sizeof samples->values[0], ascending);
  size_t last = samples->count == 0 ? 0 : samples->count - 1;
  if (samples->count == 0) samples->values[0] = 0;
  printf(",\"%s\":{\"count\":%zu,\"p50\":%.2f,\"p90\":%.2f,\"p99\":%.2f,\"max\":%.2f}", name, samples->count,
         samples->values[last / 2] / 1e3, samples->values[last * 9 / 10] / 1e3, samples->values[last * 99 / 100] / 1e3,
         samples->values[last] / 1e3);
}

static void print_text(const char *text) {
  putchar('"');
  for (; *text != 0; text++) {
    if (*text == '"' || *text == '\\') printf("\\%c", *text);
    else if ((unsigned char)*text < 32) putchar(' ');
    else putchar(*text);
  }
  putchar('"');
}

static void do_run(void) {
  memset(&counts, 0, sizeof counts);
  first_byte.count = last_byte.count = chunk_delay.count = 0;
  complaint[0] = 0;
  measuring = 0;
  double user0 = 0, system0 = 0, user1, system1;
  uint64_t start = now_ns(), opens = start + (uint64_t)(run.warm_seconds * 1e9), opened = 0, closed = 0;
  uint64_t opens_at_last = opens + WARM_SECONDS_MAX * 1000000000ull, window = (uint64_t)(run.seconds * 1e9);
  warmed_by = 0;
  clients_open(start);
  for (;;) {
    uint64_t now = now_ns();
    if (!opened && now >= opens && (warmed_by >= run.warm_count || now >= opens_at_last)) cpu_times(&user0, &system0), opened = now, measuring = 1;
    if (opened && !closed && now >= opened + window) {
      closed = now, measuring = 0;
      cpu_times(&user1, &system1);
      clients_stop();
    }
    if (closed && (clients_busy() == 0 || now >= closed + DRAIN_SECONDS * 1000000000ull)) break;
    clients_tick(now);
    upstream_tick(now);
    turn(0);
  }
  if (clients_busy() > 0) complain("%d replies did not end within %d s", clients_busy(), DRAIN_SECONDS);
  clients_close();
  printf("{\"seconds\":%.6f,\"completed\":%llu,\"chunks\":%llu,\"mismatches\":%llu,\"broken\":%llu,\"queued\":%llu,\"user\":%.3f,\"system\":%.3f",
         (double)(closed - opened) / 1e9, (unsigned long long)counts.completed, (unsigned long long)counts.chunks,
         (unsigned long long)counts.mismatches, (unsigned long long)counts.broken, (unsigned long long)counts.queued, user1 - user0,
         system1 - system0);
  print_samples("firstByteUs", &first_byte);
  print_samples("lastByteUs", &last_byte);
  print_samples("chunkUs", &chunk_delay);
  printf(",\"complaint\":");
  print_text(complaint);
  printf("}\n");
  fflush(stdout);
}

static int read_request(const char *path) {
  FILE *file = fopen(path, "r");
  if (file == NULL) return -1;
  free(run.request);
  run.request = malloc(1 << 16);
  run.request_bytes = fread(run.request, 1, 1 << 16, file);
  fclose(file);
  return 0;
}

// `port=1 connections=64 rate=0 warm=1 warmed=0 seconds=2 events=50 interval=20 loose=0 pids=1,2 request=PATH`
static int parse(char *line) {
  char *kept = run.request;
  memset(&run, 0, sizeof run);
  run.request = kept;
  for (char *word = strtok(line, " \n"); word != NULL; word = strtok(NULL, " \n")) {
    char *value = strchr(word, '=');
    if (value == NULL) return -1;
    *value++ = 0;
    if (strcmp(word, "port") == 0) run.port = atoi(value);
    else if (strcmp(word, "connections") == 0) run.connections = atoi(value);
    else if (strcmp(word, "rate") == 0) run.rate = atof(value);
    else if (strcmp(word, "warm") == 0) run.warm_seconds = atof(value);
    else if (strcmp(word, "warmed") == 0) run.warm_count = strtoull(value, NULL, 10);
    else if (strcmp(word, "seconds") == 0) run.seconds = atof(value);
    else if (strcmp(word, "events") == 0) run.events = atoi(value);
    else if (strcmp(word, "interval") == 0) run.interval_ns = (uint64_t)(atof(value) * 1e6);
    else if (strcmp(word, "loose") == 0) run.loose = atoi(value);
    else if (strcmp(word, "request") == 0 && read_request(value) < 0) return -1;
    else if (strcmp(word, "pids") == 0)
      for (char *pid = value; pid != NULL && run.pid_count < 64; pid = strchr(pid, ',') ? strchr(pid, ',') + 1 : NULL)
        if (atoi(pid) > 0) run.pids[run.pid_count++] = atoi(pid);
  }
  return run.port > 0 && run.connections > 0 && run.connections <= 4096 && run.request != NULL ? 0 : -1;
}

int main(void) {
  struct watched listener, commands = {.kind = KIND_COMMANDS, .fd = 0};
  epoll = epoll_create1(EPOLL_CLOEXEC);
  first_byte.values = malloc(SAMPLES_MAX * sizeof(uint32_t));
  last_byte.values = malloc(SAMPLES_MAX * sizeof(uint32_t));
  chunk_delay.values = malloc(SAMPLES_MAX * sizeof(uint32_t));
  upstream_prepare();
  int port = upstream_listen(&listener);
  if (port < 0) return 1;
  watch(&commands);
  printf("{\"port\":%d}\n", port);
  fflush(stdout);
  char text[8192];
  size_t length = 0;
  for (;;) {
    // Between runs it sleeps, but goes on answering: proxies close their connections when they stop.
    char *end = memchr(text, '\n', length);
    if (end == NULL) {
      turn(50);
      struct pollfd ready = {.fd = 0, .events = POLLIN};
      if (poll(&ready, 1, 0) <= 0) continue;
      ssize_t got = read(0, text + length, sizeof text - 1 - length);
      if (got <= 0) return 0;
      length += (size_t)got;
      continue;
    }
    *end = 0;
    if (parse(text) < 0) printf("{\"error\":\"this line cannot be understood\"}\n"), fflush(stdout);
    else do_run();
    length -= (size_t)(end + 1 - text);
    memmove(text, end + 1, length);
  }
}
